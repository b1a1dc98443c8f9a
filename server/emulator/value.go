package emulator

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A JSON value has the type that Python's json module would give it, because Diga sees that: nil, bool,
// string, integer, float64 (NaN and infinities included), []any or object.

// integer is a JSON number without fraction or exponent, of any size, as its decimal digits.
type integer string

// object is a JSON object whose members keep their order. A nil object is rendered as null,
// an empty one as {}. Objects are never changed once built, so they may be shared freely.
type object []member

type member struct {
	key   string
	value any
}

func (o object) get(key string) (any, bool) {
	for _, m := range o {
		if m.key == key {
			return m.value, true
		}
	}
	return nil, false
}

// text returns the string under key, or nil if there is none.
func (o object) text(key string) *string {
	v, _ := o.get(key)
	if s, ok := v.(string); ok {
		return &s
	}
	return nil
}

// str returns the string under key, or "".
func (o object) str(key string) string {
	v, _ := o.get(key)
	s, _ := v.(string)
	return s
}

// sub returns the object under key, or nil.
func (o object) sub(key string) object {
	v, _ := o.get(key)
	s, _ := v.(object)
	return s
}

// list returns the array under key, or nil.
func (o object) list(key string) []any {
	v, _ := o.get(key)
	s, _ := v.([]any)
	return s
}

// with returns a copy in which key has the value: in its old place, or at the end.
func (o object) with(key string, value any) object {
	c := slices.Clone(o)
	for i := range c {
		if c[i].key == key {
			c[i].value = value
			return c
		}
	}
	return append(c, member{key, value})
}

// without returns a copy that lacks the keys.
func (o object) without(keys ...string) object {
	return slices.DeleteFunc(slices.Clone(o), func(m member) bool { return slices.Contains(keys, m.key) })
}

// orNull returns an optional string as a JSON value.
func orNull(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

// errUnencodable means that a value has no JSON form: a lone surrogate, a NaN or an infinity. Python
// reads these values but fails to write them.
var errUnencodable = errors.New("value has no JSON form")

// appendJSON renders v as FastAPI does: no spaces, nothing escaped that need not be, floats as
// Python's repr prints them.
func appendJSON(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case integer:
		return append(dst, v...), nil
	case float64:
		return appendFloat(dst, v)
	case string:
		return appendString(dst, v)
	case []any:
		return appendArray(dst, v)
	case object:
		return appendObject(dst, v)
	}
	return dst, errUnencodable
}

func appendArray(dst []byte, list []any) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendJSON(dst, v); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func appendObject(dst []byte, o object) ([]byte, error) {
	if o == nil {
		return append(dst, "null"...), nil
	}
	dst = append(dst, '{')
	var err error
	for i, m := range o {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendString(dst, m.key); err != nil {
			return dst, err
		}
		dst = append(dst, ':')
		if dst, err = appendJSON(dst, m.value); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func appendString(dst []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return dst, errUnencodable
	}
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			if c < 0x20 {
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return append(dst, '"'), nil
}

// appendFloat follows Python's repr: the shortest digits that round-trip, an exponent outside
// 1e-4 to 1e16, and ".0" after an integral value.
func appendFloat(dst []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, errUnencodable
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64), nil
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return append(dst, s...), nil
}
