package digajson

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// KindJSON is the kind of an [Error] for a text that is not exactly one valid JSON value.
const KindJSON = "json_invalid"

// KindDuplicate is the kind of an [Error] or drift for a duplicate key.
const KindDuplicate = "duplicate_key"

// The other kinds. They have pydantic's names where pydantic has one.
const (
	kindObject        = "model_attributes_type"
	kindDict          = "dict_type"
	kindList          = "list_type"
	kindString        = "string_type"
	kindUnicode       = "string_unicode"
	kindBool          = "bool_type"
	kindInt           = "int_type"
	kindIntRange      = "int_parsing_size"
	kindFloat         = "float_type"
	kindFinite        = "finite_number"
	kindInexact       = "int_not_exact"
	kindBytes         = "bytes_invalid_encoding"
	kindEnum          = "enum"
	kindTime          = "datetime_parsing"
	kindDepth         = "recursion_loop"
	kindTooMany       = "too_long"
	kindOneof         = "oneof_set_twice"
	kindMissing       = "missing"
	kindDiscriminator = "union_tag_invalid"
	kindUnknownField  = "unknown_field"
	kindNoValue       = "none_required"
)

// Error is an error at one place of a message or its JSON. It quotes no value.
type Error struct {
	// Path is the path to the place. Field names and keys are strings, and indexes are
	// ints. Keys are as the client wrote them.
	Path []any
	// Kind is the kind of error, such as "string_type" or "duplicate_key".
	Kind string
	// Message describes the value that is required.
	Message string
	// Offset is the byte offset of the error in the JSON, for KindJSON.
	Offset int
}

// Error returns the path and the message.
func (e *Error) Error() string {
	if f := e.Field(); f != "" {
		return f + ": " + e.Message
	}
	return e.Message
}

// Field returns the path as text, such as `variables.a[2]`. It is empty for the whole
// message. Long keys are cut, and each unprintable character is replaced with "?".
func (e *Error) Field() string {
	var b strings.Builder
	for _, step := range e.Path {
		switch step := step.(type) {
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(printable(step))
		case int:
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(step))
			b.WriteByte(']')
		}
	}
	return b.String()
}

// Elements returns the path with its keys in the form of Field. It is nil for the whole
// message.
func (e *Error) Elements() []any {
	elements := slices.Clone(e.Path)
	for i, step := range elements {
		if key, ok := step.(string); ok {
			elements[i] = printable(key)
		}
	}
	return elements
}

// printable returns a key in a form that fits on one line of text.
func printable(key string) string {
	cut := len(key) > MaxName
	if cut {
		key = key[:MaxName]
		for n := 1; n < utf8.UTFMax && !utf8.ValidString(key); n++ {
			key = key[:MaxName-n]
		}
	}
	key = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, key)
	if cut {
		key += "…"
	}
	return key
}

const notUnicode = "must be valid Unicode"

// ofDialect returns err as an [Error] if it says that the text is not JSON, and otherwise
// unchanged.
func ofDialect(err error) error {
	if e, ok := err.(*lex.Error); ok {
		return &Error{Kind: KindJSON, Message: e.Message, Offset: e.Offset}
	}
	return err
}

// within prepends a step to the path of an error.
func within(err error, step any) error {
	err = ofDialect(err)
	if e, ok := err.(*Error); ok {
		e.Path = slices.Insert(e.Path, 0, step)
	}
	return err
}
