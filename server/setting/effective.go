package setting

import "reflect"

// Origins say where settings were set, by the setting's name: "--log-level",
// "DIGATE_LOG_LEVEL", or the file and line, "digate.yaml:3". A setting that is not in
// Origins has its default.
type Origins map[string]string

// FromDefault is the origin of a setting with its default.
const FromDefault = "default"

// Effective is a setting in use. It contains no credential.
type Effective struct {
	// Name is the name of the flag, without its dashes.
	Name string `json:"name"`
	// Value is a string, a number or a bool. A duration is a string.
	Value any `json:"value"`
	// From is where the value was set, or [FromDefault].
	From string `json:"from"`
}

// EffectiveOf lists the settings in a struct, in order.
func EffectiveOf(settings any, origins Origins) []Effective {
	var all []Effective
	each(reflect.ValueOf(settings), func(field reflect.StructField, value reflect.Value) {
		e := Effective{Name: field.Tag.Get("name"), Value: shown(value), From: FromDefault}
		if from, ok := origins[e.Name]; ok {
			e.From = from
		}
		all = append(all, e)
	})
	return all
}
