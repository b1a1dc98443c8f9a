// Package setting holds what the settings of all parts have in common: their
// defaults, their validation, and how they are printed.
//
// A part declares its settings as a struct. The tags of a field are its flag
// (name), its default and its help, in the form that the parser of the command
// line reads. A field with the tag embed is a struct of further settings.
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

// SetDefaults gives every setting its default. The argument is a pointer to a
// struct of settings. It panics on a default that is not of its field's type,
// which is a mistake in the source.
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

// parse sets the value to what the text says.
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
