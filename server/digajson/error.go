package digajson

import (
	"strconv"
	"strings"
)

// The kinds of an [Error], in pydantic's terms where it has one.
const (
	KindJSON          = "json_invalid"
	KindObject        = "model_attributes_type"
	KindDict          = "dict_type"
	KindList          = "list_type"
	KindString        = "string_type"
	KindUnicode       = "string_unicode"
	KindBool          = "bool_type"
	KindInt           = "int_type"
	KindIntRange      = "int_parsing_size"
	KindFloat         = "float_type"
	KindFinite        = "finite_number"
	KindInexact       = "int_not_exact"
	KindBytes         = "bytes_invalid_encoding"
	KindEnum          = "enum"
	KindTime          = "datetime_parsing"
	KindDuplicate     = "duplicate_key"
	KindDepth         = "recursion_loop"
	KindOneof         = "oneof_set_twice"
	KindMissing       = "missing"
	KindDiscriminator = "union_tag_invalid"
	KindUnknownField  = "unknown_field"
	KindNoValue       = "none_required"
)

// Error is what is wrong with one place of a message or of its JSON. It quotes
// no value.
type Error struct {
	// Path leads to the place: field names and keys are strings, indexes ints.
	Path []any
	// Kind is one of the Kind constants.
	Kind string
	// Message says what the place has to hold.
	Message string
	// Offset is the byte at which the JSON is wrong; of use for KindJSON.
	Offset int
}

// Error returns the path and what is wrong there.
func (e *Error) Error() string {
	if f := e.Field(); f != "" {
		return f + ": " + e.Message
	}
	return e.Message
}

// Field returns the path as text, such as `variables.a[2]`; empty for the
// message as a whole.
func (e *Error) Field() string { return pathText(e.Path) }

func pathText(path []any) string {
	var b strings.Builder
	for _, el := range path {
		switch el := el.(type) {
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(el)
		case int:
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(el))
			b.WriteByte(']')
		}
	}
	return b.String()
}

// within puts a step in front of the path of an error that came from below.
func within(err error, step any) error {
	if e, ok := err.(*Error); ok {
		e.Path = append([]any{step}, e.Path...)
	}
	return err
}
