// Package nearjson turns text that is nearly JSON into JSON, so that one odd
// character does not hide what the rest of a response says.
package nearjson

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mend returns the text of an object or array with what JSON (RFC 8259) has no
// place for taken out, and reports whether that changed anything:
//
//   - a byte-order mark, or UTF-16 or UTF-32 instead of UTF-8;
//   - what keeps a script from reading it, such as ")]}'" before it, and comments;
//   - raw control characters in strings, unknown escapes, single quotes;
//   - NaN, Infinity, None and other words, which become null; True and False;
//   - keys without quotes, keys without values, a comma too many, odd white space.
//
// JSON is returned as it is. What breaks off still breaks off, and what comes
// behind the end still does. Bytes in strings that are no UTF-8 stay. Text that does
// not begin as an object or array, such as a page of HTML, is not touched.
func Mend(text []byte) (mended []byte, changed bool) {
	if json.Valid(text) {
		return text, false
	}
	m := mender{text: unguarded(utf8Of(text))}
	if !begins(m.text) {
		return text, false
	}
	m.out = make([]byte, 0, len(m.text))
	for m.pos < len(m.text) {
		m.token()
	}
	return m.out, !bytes.Equal(m.out, text)
}

// TrimBOM returns the text without the byte-order mark at its beginning.
func TrimBOM(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) }

// blank reports whether a character between two tokens says nothing. A byte that is
// no UTF-8 is one such, as a space of Latin-1 is.
func blank(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\ufeff' || r == utf8.RuneError
}

// mender is the state of mending one text.
type mender struct {
	text []byte
	pos  int
	out  []byte
	last byte // the last of out that is no white space; 0 before there is one
}

// token mends the next token, or the white space before it.
func (m *mender) token() {
	switch c := m.text[m.pos]; c {
	case '"', '\'':
		m.quoted(c)
		m.last = '"'
	case '}', ']':
		if m.last == ',' {
			m.out = m.out[:bytes.LastIndexByte(m.out, ',')]
		}
		m.valued()
		m.copy(1)
		m.last = c
	case ',':
		if m.last == ',' || m.last == '{' || m.last == '[' {
			m.pos++
			return
		}
		m.valued()
		m.copy(1)
		m.last = c
	case '{', '[', ':':
		m.copy(1)
		m.last = c
	case ' ', '\t', '\r', '\n':
		m.copy(1)
	default:
		if n := comment(m.text[m.pos:]); n > 0 {
			m.pos += n
			return
		}
		if r, size := utf8.DecodeRune(m.text[m.pos:]); blank(r) {
			m.pos += size
			return
		}
		m.word()
		m.last = 'w'
	}
}

// valued gives a key that has no value null.
func (m *mender) valued() {
	if m.last == ':' {
		m.out = append(m.out, "null"...)
	}
}

// copy takes over n bytes.
func (m *mender) copy(n int) {
	m.out = append(m.out, m.text[m.pos:m.pos+n]...)
	m.pos += n
}

// quoted mends a string, on whose quote the mender is.
func (m *mender) quoted(quote byte) {
	m.out = append(m.out, '"')
	m.pos++
	for m.pos < len(m.text) {
		switch c := m.text[m.pos]; {
		case c == quote:
			m.out = append(m.out, '"')
			m.pos++
			return
		case c == '"':
			m.out = append(m.out, `\"`...)
			m.pos++
		case c == '\\':
			m.escape()
		case c < ' ':
			m.out = append(m.out, `\u00`...)
			m.out = append(m.out, hexDigits[c>>4], hexDigits[c&15])
			m.pos++
		default:
			m.copy(1)
		}
	}
}

const hexDigits = "0123456789abcdef"

// escape mends an escape sequence. A backslash that begins none is one that was
// not escaped itself.
func (m *mender) escape() {
	rest := m.text[m.pos:]
	switch {
	case len(rest) == 1:
		m.copy(1)
	case rest[1] == '\'':
		m.out = append(m.out, '\'')
		m.pos += 2
	case rest[1] == 'u' && len(rest) < 6:
		m.copy(len(rest))
	case rest[1] == 'u' && json.Valid([]byte(`"`+string(rest[:6])+`"`)):
		m.copy(6)
	case strings.IndexByte(`"\/bfnrt`, rest[1]) >= 0:
		m.copy(2)
	default:
		m.out = append(m.out, `\\`...)
		m.pos++
	}
}

// word mends what has no quotes. One that the text ends with may have been longer,
// and is left.
func (m *mender) word() {
	end := m.pos
	for end < len(m.text) {
		r, size := utf8.DecodeRune(m.text[end:])
		if blank(r) || strings.ContainsRune(`{}[]:,"'`, r) || commented(m.text[end:]) {
			break
		}
		end += size
	}
	word := m.text[m.pos:end]
	after := bytes.TrimLeftFunc(m.text[end:], blank)
	switch {
	case end == len(m.text) || json.Valid(word):
		m.out = append(m.out, word...)
	case len(after) > 0 && after[0] == ':':
		if key, err := json.Marshal(string(word)); err == nil {
			m.out = append(m.out, key...)
		}
	case string(word) == "True":
		m.out = append(m.out, "true"...)
	case string(word) == "False":
		m.out = append(m.out, "false"...)
	default:
		m.out = append(m.out, "null"...)
	}
	m.pos = end
}
