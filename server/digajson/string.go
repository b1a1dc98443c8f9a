package digajson

import (
	"unicode/utf16"
	"unicode/utf8"
)

const notUnicode = "must be valid Unicode"

// text is a string as it stands between its quotes.
type text struct {
	raw     string
	escaped bool
	valid   bool // UTF-8, no half of a surrogate pair
}

// is says whether the text says s.
func (t text) is(s string) bool {
	if !t.escaped {
		return t.raw == s
	}
	return t.string() == s
}

// str reads a string; the scanner stands on its opening quote.
func (s *scanner) str() (text, error) {
	start := s.pos + 1
	s.pos = start
	t := text{valid: true}
	ascii := true
	for {
		s.pos += plain(s.data[s.pos:])
		if s.pos >= len(s.data) {
			return t, s.invalid()
		}
		switch c := s.data[s.pos]; {
		case c == '"':
			t.raw = s.data[start:s.pos]
			s.pos++
			if !ascii && !utf8.ValidString(t.raw) {
				t.valid = false
			}
			return t, nil
		case c == '\\':
			t.escaped = true
			if !s.escape(&t) {
				return t, s.invalid()
			}
		case c < ' ':
			return t, s.invalid()
		default:
			ascii = false
			s.pos++
		}
	}
}

// plain returns how many bytes of ASCII stand in front of one that is special
// in a string, or of a byte of a longer rune.
func plain(s string) int {
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return i
		}
	}
	return len(s)
}

// escape moves over one escape sequence, or over the two of a surrogate pair.
func (s *scanner) escape(t *text) bool {
	if s.pos+1 >= len(s.data) {
		s.pos = len(s.data)
		return false
	}
	switch s.data[s.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return true
	case 'u':
	default:
		s.pos++
		return false
	}
	r, ok := hex4(s.data[s.pos:])
	if !ok {
		return false
	}
	s.pos += 6
	switch {
	case r >= 0xDC00 && r <= 0xDFFF:
		t.valid = false
	case r >= 0xD800 && r <= 0xDBFF:
		low, ok := hex4(s.data[s.pos:])
		if !ok || low < 0xDC00 || low > 0xDFFF {
			t.valid = false // what follows is read by itself
			return true
		}
		s.pos += 6
	}
	return true
}

// hex4 reads the number of a \uXXXX that data begins with.
func hex4(data string) (r rune, ok bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	for i := 2; i < 6; i++ {
		c := data[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// string returns what the text says; of half a surrogate pair, U+FFFD.
func (t text) string() string {
	if !t.escaped {
		return t.raw
	}
	out := make([]byte, 0, len(t.raw))
	for i := 0; i < len(t.raw); {
		c := t.raw[i]
		if c != '\\' {
			out = append(out, c)
			i++
			continue
		}
		switch c := t.raw[i+1]; c {
		case 'u':
			r, _ := hex4(t.raw[i:])
			i += 6
			if utf16.IsSurrogate(r) {
				low, _ := hex4(t.raw[i:])
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
			continue
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		default:
			out = append(out, c)
		}
		i += 2
	}
	return string(out)
}

const hexDigits = "0123456789abcdef"

// appendString writes a string with the escapes that JSON demands and no other.
func appendString(dst []byte, s string) ([]byte, error) {
	dst = append(dst, '"')
	start, ascii := 0, true
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			if c >= utf8.RuneSelf {
				ascii = false
			}
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
		}
	}
	if !ascii && !utf8.ValidString(s) {
		return dst, &Error{Kind: kindUnicode, Message: notUnicode}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"'), nil
}
