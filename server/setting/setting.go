// Package setting contains what the settings of all parts have in common: defaults,
// validation, and printing.
//
// A part declares its settings as a struct. The tags of a field have its flag (name), its
// default and its help, in the form that the command line's parser reads. A field with
// the tag embed is a struct of further settings.
package setting

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// each calls f for every setting in a struct, in order.
func each(settings reflect.Value, f func(field reflect.StructField, value reflect.Value)) {
	for field, value := range settings.Fields() {
		if _, embedded := field.Tag.Lookup("embed"); embedded {
			each(value, f)
		} else {
			f(field, value)
		}
	}
}

// SetDefaults sets every setting to its default. The argument is a pointer to a struct of
// settings. It panics if a default does not have its field's type, which is a programming
// error.
func SetDefaults(settings any) {
	each(reflect.ValueOf(settings).Elem(), func(field reflect.StructField, value reflect.Value) {
		text, ok := field.Tag.Lookup("default")
		if !ok {
			value.SetZero()
			return
		}
		if err := parse(value, text); err != nil {
			panic(fmt.Sprintf("the default of --%s: %v", field.Tag.Get("name"), err))
		}
	})
}

// parse sets the value from a text.
func parse(value reflect.Value, text string) error {
	switch v := value.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		return v.UnmarshalText([]byte(text))
	case *time.Duration:
		d, err := time.ParseDuration(text)
		*v = d
		return err
	}
	switch {
	case value.Kind() == reflect.String:
		value.SetString(text)
		return nil
	case value.CanInt():
		n, err := strconv.ParseInt(text, 10, value.Type().Bits())
		value.SetInt(n)
		return err
	case value.CanUint():
		n, err := strconv.ParseUint(text, 10, value.Type().Bits())
		value.SetUint(n)
		return err
	case value.CanFloat():
		x, err := strconv.ParseFloat(text, value.Type().Bits())
		value.SetFloat(x)
		return err
	default:
		return fmt.Errorf("a %s cannot have one", value.Type())
	}
}
