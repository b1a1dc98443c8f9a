// Package nearjson turns text that is nearly JSON into JSON, so that one odd
// character does not hide what the rest of a response says.
package nearjson

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Mend returns the text of an object or array with what JSON (RFC 8259) has no
// place for taken out, and reports whether that changed anything:
//
//   - a byte-order mark, or UTF-16 instead of UTF-8;
//   - raw control characters in strings, unknown escapes, single quotes;
//   - NaN, Infinity, None and other words, which become null; True and False;
//   - keys without quotes, a comma after the last member, odd white space.
//
// JSON is returned as it is. What breaks off still breaks off, and what comes
// behind the end still does. Text that does not begin as an object or array, such
// as a page of HTML, is not touched.
func Mend(text []byte) (mended []byte, changed bool) {
	if json.Valid(text) {
		return text, false
	}
	m := mender{text: utf8Of(text)}
	m.text = bytes.TrimLeftFunc(m.text, blank)
	if len(m.text) == 0 || m.text[0] != '{' && m.text[0] != '[' {
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

// utf8Of returns UTF-16 text as UTF-8, and any other as it is. UTF-16 has a
// byte-order mark, or a zero in its first character, which is ASCII.
func utf8Of(text []byte) []byte {
	if len(text) < 2 {
		return text
	}
	var low, high int // where the two bytes of a unit are
	switch first := [2]byte(text); {
	case first == [2]byte{0xff, 0xfe} || first[0] != 0 && first[1] == 0:
		high = 1
	case first == [2]byte{0xfe, 0xff} || first[0] == 0 && first[1] != 0:
		low = 1
	default:
		return text
	}
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = uint16(text[2*i+high])<<8 | uint16(text[2*i+low])
	}
	out := make([]byte, 0, len(units))
	for _, r := range utf16.Decode(units) {
		out = utf8.AppendRune(out, r)
	}
	return out
}

// blank reports whether a character between two tokens says nothing.
func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\ufeff' }

// mender is the state of mending one text.
type mender struct {
	text []byte
	pos  int
	out  []byte
}

// token mends the next token, or the white space before it.
func (m *mender) token() {
	switch c := m.text[m.pos]; c {
	case '"', '\'':
		m.quoted(c)
	case '}', ']':
		if rest := bytes.TrimRight(m.out, " \t\r\n"); bytes.HasSuffix(rest, []byte(",")) {
			m.out = rest[:len(rest)-1]
		}
		m.copy(1)
	case '{', '[', ':', ',', ' ', '\t', '\r', '\n':
		m.copy(1)
	default:
		if r, size := utf8.DecodeRune(m.text[m.pos:]); blank(r) {
			m.pos += size
			return
		}
		m.word()
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
		if blank(r) || strings.ContainsRune(`{}[]:,"'`, r) {
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
