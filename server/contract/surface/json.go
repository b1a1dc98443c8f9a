package surface

import (
	"bytes"
	"encoding/json"
	"errors"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

// UnmarshalJSON implements [json.Unmarshaler].
func (o *object) UnmarshalJSON(b []byte) error {
	if bytes.Equal(bytes.TrimSpace(b), []byte("null")) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("must be an object")
	}
	*o = object{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		var m member
		m.name, _ = t.(string)
		if err := d.Decode(&m.value); err != nil {
			return err
		}
		*o = append(*o, m)
	}
	return nil
}

// schema is a JSON schema, or the part of it that a surface has.
type schema struct {
	Ref           string            `json:"$ref"`
	Type          json.RawMessage   `json:"type"`
	Format        string            `json:"format"`
	Enum          []json.RawMessage `json:"enum"`
	Const         json.RawMessage   `json:"const"`
	Properties    object            `json:"properties"`
	Required      []string          `json:"required"`
	Items         json.RawMessage   `json:"items"`
	Keys          json.RawMessage   `json:"additionalProperties"`
	AnyOf         []json.RawMessage `json:"anyOf"`
	OneOf         []json.RawMessage `json:"oneOf"`
	AllOf         []json.RawMessage `json:"allOf"`
	Nullable      bool              `json:"nullable"`
	Default       json.RawMessage   `json:"default"`
	Discriminator struct {
		PropertyName string            `json:"propertyName"`
		Mapping      map[string]string `json:"mapping"`
	} `json:"discriminator"`

	Minimum   *float64 `json:"minimum"`
	Maximum   *float64 `json:"maximum"`
	MinLength *float64 `json:"minLength"`
	MaxLength *float64 `json:"maxLength"`
	MinItems  *float64 `json:"minItems"`
	MaxItems  *float64 `json:"maxItems"`
}

// allRequired returns the names of fields that are required here or in a part of allOf.
func (s *schema) allRequired() []string {
	required := s.Required
	for _, raw := range s.AllOf {
		var part schema
		_ = json.Unmarshal(raw, &part) // decoded before
		required = append(required, part.Required...)
	}
	return required
}

// limits returns the limits by keyword, nil where there are none.
func (s *schema) limits() map[string]float64 {
	var limits map[string]float64
	for name, v := range map[string]*float64{
		"minimum": s.Minimum, "maximum": s.Maximum, "minLength": s.MinLength,
		"maxLength": s.MaxLength, "minItems": s.MinItems, "maxItems": s.MaxItems,
	} {
		if v != nil {
			if limits == nil {
				limits = make(map[string]float64)
			}
			limits[name] = *v
		}
	}
	return limits
}

// kind returns the types that a schema names, or those that its other keywords are
// about. named reports whether it is restricted at all.
func (s *schema) kind() (kind Kind, null, named bool, err error) {
	var names []string
	if s.Type != nil {
		var one string
		if json.Unmarshal(s.Type, &one) == nil {
			names = []string{one}
		} else if json.Unmarshal(s.Type, &names) != nil {
			return 0, false, false, errors.New("type must be a name or a list of names")
		}
	}
	for _, name := range names {
		switch name {
		case "string":
			kind |= String
		case "integer":
			kind |= Integer
		case "number":
			kind |= Number
		case "boolean":
			kind |= Boolean
		case "object":
			kind |= Object
		case "array":
			kind |= Array
		case "null":
			null = true
		default:
			return 0, false, false, errors.New("type is none of JSON's types")
		}
	}
	switch {
	case names != nil:
		return kind, null || s.Nullable, true, nil
	case s.Properties != nil || s.Keys != nil:
		return Object, s.Nullable, true, nil
	case s.Items != nil:
		return Array, s.Nullable, true, nil
	}
	return Any, true, false, nil
}

// values returns the values of an enum or const as text, the kinds that they are
// of, and whether null is one of them.
func (s *schema) values() (values []string, kind Kind, null bool) {
	all := s.Enum
	if s.Const != nil {
		all = []json.RawMessage{s.Const}
	}
	for _, raw := range all {
		switch c := raw[0]; {
		case c == 'n':
			null = true
			continue
		case c == '"':
			kind |= String
			var text string
			_ = json.Unmarshal(raw, &text) // decoded before
			values = append(values, text)
			continue
		case c == 't' || c == 'f':
			kind |= Boolean
		case c == '{':
			kind |= Object
		case c == '[':
			kind |= Array
		case bytes.ContainsAny(raw, ".eE"):
			kind |= Number
		default:
			kind |= Integer
		}
		values = append(values, string(raw))
	}
	return values, kind, null
}
