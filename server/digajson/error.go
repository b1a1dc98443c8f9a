package digajson

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// KindJSON is the kind of an [Error] for a text that is not JSON, or that is more
// than one value.
const KindJSON = "json_invalid"

// KindDuplicate is the kind of an [Error], and of drift, for a key that is there
// twice.
const KindDuplicate = "duplicate_key"

// The other kinds, in pydantic's terms where it has one.
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

// Error is a fault in one place of a message or of its JSON. It quotes no value.
type Error struct {
	// Path leads to the place: field names and keys are strings, indexes ints.
	// Keys are as the client wrote them.
	Path []any
	// Kind names the fault in one word: "string_type", "duplicate_key".
	Kind string
	// Message says what value the place has to hold.
	Message string
	// Offset is the byte at which the JSON is wrong, for KindJSON.
	Offset int
}

// Error returns the path and the message.
func (e *Error) Error() string {
	if f := e.Field(); f != "" {
		return f + ": " + e.Message
	}
	return e.Message
}

// Field returns the path as text, such as `variables.a[2]`; empty for the
// message as a whole. A key in it is cut to a bounded length, and a character that
// cannot be printed is "?".
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

// Elements returns the path with its keys as Field shows them, nil for the message
// as a whole.
func (e *Error) Elements() []any {
	elements := slices.Clone(e.Path)
	for i, step := range elements {
		if key, ok := step.(string); ok {
			elements[i] = printable(key)
		}
	}
	return elements
}

// printable returns a key in a form that fits into a line of text.
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

// ofDialect returns err, as an [Error] if the text is not JSON.
func ofDialect(err error) error {
	if e, ok := err.(*lex.Error); ok {
		return &Error{Kind: KindJSON, Message: e.Message, Offset: e.Offset}
	}
	return err
}

// within puts a step in front of the path of an error from below.
func within(err error, step any) error {
	err = ofDialect(err)
	if e, ok := err.(*Error); ok {
		e.Path = slices.Insert(e.Path, 0, step)
	}
	return err
}
