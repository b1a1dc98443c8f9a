package emulator

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth and maxDigits are Python's own limits: its default recursion limit and its limit on the
// digits of an integer.
const (
	maxDepth  = 1000
	maxDigits = 4300
)

// errUnreadable marks a body that Python fails to read for a reason other than its syntax: bad UTF-8,
// too deep, an integer of too many digits. FastAPI responds to it with 400, not 422.
var errUnreadable = errors.New("body cannot be parsed")

// syntaxError has what Python's json.JSONDecodeError has: the message and the position in characters.
type syntaxError struct {
	message  string
	position int
}

func (e *syntaxError) Error() string { return e.message + " at " + strconv.Itoa(e.position) }

// decodeJSON reads exactly one JSON value as Python's json.loads does, with its leniency (NaN,
// Infinity, lone surrogates, the last of duplicate keys) and the messages of its C scanner.
// The error is a *syntaxError or errUnreadable.
func decodeJSON(body []byte) (any, error) {
	if !utf8.Valid(body) {
		return nil, errUnreadable
	}
	d := &decoder{s: strings.TrimPrefix(string(body), "\ufeff")}
	v, at, err := d.value(d.space(0), 0)
	if err != nil {
		return nil, err
	}
	if at = d.space(at); at != len(d.s) {
		return nil, d.fail("Extra data", at)
	}
	return v, nil
}

type decoder struct{ s string }

func (d *decoder) fail(message string, at int) error {
	return &syntaxError{message, utf8.RuneCountInString(d.s[:min(at, len(d.s))])}
}

func (d *decoder) space(at int) int {
	for at < len(d.s) && strings.IndexByte(" \t\n\r", d.s[at]) >= 0 {
		at++
	}
	return at
}

// is reports whether the byte at the index is c; it returns false past the end.
func (d *decoder) is(at int, c byte) bool { return at < len(d.s) && d.s[at] == c }

func (d *decoder) digit(at int) bool { return at < len(d.s) && d.s[at] >= '0' && d.s[at] <= '9' }

// value reads the value that starts at an index and returns the index after it.
func (d *decoder) value(at, depth int) (any, int, error) {
	if depth > maxDepth {
		return nil, 0, errUnreadable
	}
	rest := d.s[at:]
	switch {
	case rest == "":
		return nil, 0, d.fail("Expecting value", at)
	case rest[0] == '"':
		return box(d.text(at + 1))
	case rest[0] == '{':
		return box(d.object(at+1, depth+1))
	case rest[0] == '[':
		return box(d.array(at+1, depth+1))
	case strings.HasPrefix(rest, "null"):
		return nil, at + 4, nil
	case strings.HasPrefix(rest, "true"):
		return true, at + 4, nil
	case strings.HasPrefix(rest, "false"):
		return false, at + 5, nil
	}
	for _, name := range []string{"NaN", "Infinity", "-Infinity"} {
		if strings.HasPrefix(rest, name) {
			f, _ := strconv.ParseFloat(name, 64)
			return f, at + len(name), nil
		}
	}
	return d.number(at)
}

func box[T any](v T, at int, err error) (any, int, error) {
	if err != nil {
		return nil, 0, err
	}
	return v, at, nil
}

func (d *decoder) number(start int) (any, int, error) {
	at := start
	if d.is(at, '-') {
		at++
	}
	if !d.digit(at) {
		return nil, 0, d.fail("Expecting value", start)
	}
	if d.is(at, '0') {
		at++
	} else {
		at = d.digits(at)
	}
	whole := at
	if d.is(at, '.') && d.digit(at+1) {
		at = d.digits(at + 1)
	}
	if d.is(at, 'e') || d.is(at, 'E') {
		exp := at + 1
		if d.is(exp, '+') || d.is(exp, '-') {
			exp++
		}
		if d.digit(exp) {
			at = d.digits(exp)
		}
	}
	literal := d.s[start:at]
	if at > whole {
		f, _ := strconv.ParseFloat(literal, 64) // out of range is an infinity, as in Python
		return f, at, nil
	}
	if len(strings.TrimPrefix(literal, "-")) > maxDigits {
		return nil, 0, errUnreadable
	}
	if literal == "-0" {
		literal = "0"
	}
	return integer(literal), at, nil
}

func (d *decoder) digits(at int) int {
	for d.digit(at) {
		at++
	}
	return at
}

func (d *decoder) array(at, depth int) ([]any, int, error) {
	list := []any{}
	if at = d.space(at); d.is(at, ']') {
		return list, at + 1, nil
	}
	for {
		v, next, err := d.value(at, depth)
		if err != nil {
			return nil, 0, err
		}
		list = append(list, v)
		switch at = d.space(next); {
		case d.is(at, ']'):
			return list, at + 1, nil
		case !d.is(at, ','):
			return nil, 0, d.fail("Expecting ',' delimiter", at)
		}
		at = d.space(at + 1)
	}
}

func (d *decoder) object(at, depth int) (object, int, error) {
	o, index := object{}, map[string]int{}
	if at = d.space(at); d.is(at, '}') {
		return o, at + 1, nil
	}
	for {
		if !d.is(at, '"') {
			return nil, 0, d.fail("Expecting property name enclosed in double quotes", at)
		}
		key, next, err := d.text(at + 1)
		if err != nil {
			return nil, 0, err
		}
		if at = d.space(next); !d.is(at, ':') {
			return nil, 0, d.fail("Expecting ':' delimiter", at)
		}
		v, next, err := d.value(d.space(at+1), depth)
		if err != nil {
			return nil, 0, err
		}
		if i, seen := index[key]; seen {
			o[i].value = v
		} else {
			index[key] = len(o)
			o = append(o, member{key, v})
		}
		switch at = d.space(next); {
		case d.is(at, '}'):
			return o, at + 1, nil
		case !d.is(at, ','):
			return nil, 0, d.fail("Expecting ',' delimiter", at)
		}
		at = d.space(at + 1)
	}
}

// text reads a string from after its opening quote. A lone surrogate becomes its three bytes of
// generalized UTF-8, which are invalid UTF-8, so that it cannot be rendered, as in Python.
func (d *decoder) text(start int) (string, int, error) {
	var b strings.Builder
	for at := start; ; {
		run := at
		for at < len(d.s) && d.s[at] != '"' && d.s[at] != '\\' {
			if d.s[at] < 0x20 {
				return "", 0, d.fail("Invalid control character at", at)
			}
			at++
		}
		b.WriteString(d.s[run:at])
		if d.is(at, '"') {
			return b.String(), at + 1, nil
		}
		if at+1 >= len(d.s) {
			return "", 0, d.fail("Unterminated string starting at", start-1)
		}
		if i := strings.IndexByte(`"\/bfnrt`, d.s[at+1]); i >= 0 {
			b.WriteByte("\"\\/\b\f\n\r\t"[i])
			at += 2
			continue
		}
		if d.s[at+1] != 'u' {
			return "", 0, d.fail("Invalid \\escape", at)
		}
		r, next, err := d.unicode(at)
		if err != nil {
			return "", 0, err
		}
		at = next
		if utf16.IsSurrogate(r) {
			b.Write([]byte{byte(0xE0 | r>>12), byte(0x80 | r>>6&0x3F), byte(0x80 | r&0x3F)})
		} else {
			b.WriteRune(r)
		}
	}
}

// unicode reads \uXXXX, and a second escape if the two are a surrogate pair.
func (d *decoder) unicode(at int) (rune, int, error) {
	r, ok := d.hex4(at + 2)
	if !ok {
		return 0, 0, d.fail("Invalid \\uXXXX escape", at+1)
	}
	at += 6
	if r >= 0xD800 && r < 0xDC00 && strings.HasPrefix(d.s[at:], `\u`) && at+6 < len(d.s) {
		low, ok := d.hex4(at + 2)
		if !ok {
			return 0, 0, d.fail("Invalid \\uXXXX escape", at+1)
		}
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, at + 6, nil
		}
	}
	return r, at, nil
}

// hex4 reads four hexadecimal digits. The text must not end with them.
func (d *decoder) hex4(at int) (rune, bool) {
	if at+4 >= len(d.s) {
		return 0, false
	}
	for _, c := range []byte(d.s[at : at+4]) {
		if !strings.Contains("0123456789abcdefABCDEF", string(rune(c))) {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(d.s[at:at+4], 16, 32)
	return rune(n), err == nil
}
