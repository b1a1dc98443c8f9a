package emulator

import (
	"regexp"
	"slices"
)

// placeholder matches the place of a variable in a template: <<name>>.
var placeholder = regexp.MustCompile(`<<([A-Za-z_][A-Za-z0-9_]*)>>`)

// fill returns v with the placeholders in its strings replaced, at every depth but not in keys. A
// string is inserted as it is, any other value as JSON. A placeholder without a value stays.
func fill(v any, values object) any {
	switch v := v.(type) {
	case string:
		return placeholder.ReplaceAllStringFunc(v, func(found string) string {
			value, _ := values.get(found[2 : len(found)-2])
			if text, ok := value.(string); ok {
				return text
			}
			if value == nil {
				return found
			}
			form, err := appendJSON(nil, value)
			if err != nil {
				return found
			}
			return string(form)
		})
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = fill(v[i], values)
		}
		return out
	case object:
		if v == nil {
			return v
		}
		out := make(object, len(v))
		for i, m := range v {
			out[i] = member{m.key, fill(m.value, values)}
		}
		return out
	}
	return v
}

// unfilled reports whether a placeholder is left in one of v's strings.
func unfilled(v any) bool {
	switch v := v.(type) {
	case string:
		return placeholder.MatchString(v)
	case []any:
		if slices.ContainsFunc(v, unfilled) {
			return true
		}
	case object:
		for _, m := range v {
			if unfilled(m.value) {
				return true
			}
		}
	}
	return false
}
