package lex

import (
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// Text is a string in its written form, without the quotes.
type Text struct {
	Raw     string
	Escaped bool
	Valid   bool // UTF-8 without an unpaired surrogate
}

// Is reports whether the text means s.
func (t Text) Is(s string) bool {
	if !t.Escaped {
		return t.Raw == s
	}
	return t.String() == s
}

// Str reads a string. The scanner must be at its opening quote.
func (s *Scanner) Str() (Text, error) {
	start := s.Pos + 1
	s.Pos = start
	t := Text{Valid: true}
	ascii := true
	for {
		s.Pos += plain(s.Data[s.Pos:])
		if s.Pos >= len(s.Data) {
			return t, s.Invalid()
		}
		switch c := s.Data[s.Pos]; {
		case c == '"':
			t.Raw = s.Data[start:s.Pos]
			s.Pos++
			if !ascii && !utf8.ValidString(t.Raw) {
				t.Valid = false
			}
			return t, nil
		case c == '\\':
			t.Escaped = true
			if !s.escape(&t) {
				return t, s.Invalid()
			}
		case c < ' ':
			return t, s.Invalid()
		default:
			ascii = false
			s.Pos += beyondASCII(s.Data[s.Pos:])
		}
	}
}

// plain returns the number of bytes before the first byte that is special in a string or
// not ASCII. It checks eight bytes at once.
func plain(s string) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if special := specials(eight(s[i : i+8])); special != 0 {
			return i + bits.TrailingZeros64(special)/8
		}
	}
	for ; i < len(s); i++ {
		c := s[i]
		if c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			break
		}
	}
	return i
}

// beyondASCII returns the number of bytes before the first ASCII byte.
func beyondASCII(s string) int {
	i := 0
	for i < len(s) && s[i] >= utf8.RuneSelf {
		i++
	}
	return i
}

// Eight bytes with the value 1, and eight bytes with only the highest bit set.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// eight returns eight bytes of text as a word, the first byte lowest.
func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// specials finds the first byte of b that is special in a string or not ASCII: the lowest
// set bit of the result belongs to it. The result is 0 if there is none. Only the lowest
// bit counts, because a subtraction borrows from the bytes above.
func specials(b uint64) uint64 {
	quote, backslash := b^'"'*ones, b^'\\'*ones
	return (b | (b - ' '*ones) | (quote - ones) | (backslash - ones)) & highs
}

// escape reads one escape sequence, or the two of a surrogate pair.
func (s *Scanner) escape(t *Text) bool {
	if s.Pos+1 >= len(s.Data) {
		s.Pos = len(s.Data)
		return false
	}
	switch s.Data[s.Pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.Pos += 2
		return true
	case 'u':
	default:
		s.Pos++
		return false
	}
	r, ok := hex4(s.Data[s.Pos:])
	if !ok {
		return false
	}
	s.Pos += 6
	switch {
	case r >= 0xDC00 && r <= 0xDFFF:
		t.Valid = false
	case r >= 0xD800 && r <= 0xDBFF:
		low, ok := hex4(s.Data[s.Pos:])
		if !ok || low < 0xDC00 || low > 0xDFFF {
			t.Valid = false // the next escape is read on its own
			return true
		}
		s.Pos += 6
	}
	return true
}

// hex4 parses the escape \uXXXX at the start of data.
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

// String returns the meaning of the text. An unpaired surrogate becomes U+FFFD.
func (t Text) String() string {
	if !t.Escaped {
		return t.Raw
	}
	return t.unescape()
}

func (t Text) unescape() string {
	out := make([]byte, 0, len(t.Raw))
	for i := 0; i < len(t.Raw); {
		c := t.Raw[i]
		if c != '\\' {
			out = append(out, c)
			i++
			continue
		}
		switch c := t.Raw[i+1]; c {
		case 'u':
			r, _ := hex4(t.Raw[i:])
			i += 6
			if utf16.IsSurrogate(r) {
				low, _ := hex4(t.Raw[i:])
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

// AppendString appends a string with only the escapes that JSON requires. It returns
// false if the string is not valid UTF-8.
func AppendString(dst []byte, s string) (out []byte, valid bool) {
	dst = append(dst, '"')
	start, ascii := 0, true
	for i := plain(s); i < len(s); i += plain(s[i:]) {
		c := s[i]
		if c >= utf8.RuneSelf {
			ascii = false
			i += beyondASCII(s[i:])
			continue
		}
		dst = append(dst, s[start:i]...)
		i++
		start = i
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
		return dst, false
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"'), true
}
