package digajson

import (
	"unicode/utf8"
)

// scanner walks over JSON text. It takes what RFC 8259 allows and nothing else.
type scanner struct {
	data []byte
	pos  int
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is no white space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

// take moves over the next byte if it is c.
func (s *scanner) take(c byte) bool {
	if s.peek() == c && s.pos < len(s.data) {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) invalid() error {
	msg := "the JSON is not valid here"
	if s.pos >= len(s.data) {
		msg = "the JSON ends too early"
	}
	return &Error{Kind: KindJSON, Message: msg, Offset: s.pos}
}

// text is a string as it stands between its quotes.
type text struct {
	raw     []byte
	escaped bool
	valid   bool // UTF-8, no half of a surrogate pair
}

// str reads a string; the scanner stands on its opening quote.
func (s *scanner) str() (text, error) {
	s.pos++
	start := s.pos
	t := text{valid: true}
	ascii := true
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			t.raw = s.data[start:s.pos]
			s.pos++
			if !ascii && !utf8.Valid(t.raw) {
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
			if c >= utf8.RuneSelf {
				ascii = false
			}
			s.pos++
		}
	}
	return t, s.invalid()
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
func hex4(data []byte) (r rune, ok bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	for _, c := range data[2:6] {
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

// string returns what a valid text says.
func (t text) string() string {
	if !t.escaped {
		return string(t.raw)
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
			if r >= 0xD800 && r <= 0xDBFF {
				low, _ := hex4(t.raw[i:])
				r = (r-0xD800)<<10 | (low - 0xDC00) + 0x10000
				i += 6
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

// number reads a number and says whether it is written as an integer.
func (s *scanner) number() (raw []byte, integer bool, err error) {
	start := s.pos
	if s.at('-') {
		s.pos++
	}
	switch {
	case s.at('0'):
		s.pos++
	case !s.digits():
		return nil, false, s.invalid()
	}
	integer = true
	if s.at('.') {
		s.pos++
		integer = false
		if !s.digits() {
			return nil, false, s.invalid()
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		integer = false
		if s.at('+') || s.at('-') {
			s.pos++
		}
		if !s.digits() {
			return nil, false, s.invalid()
		}
	}
	return s.data[start:s.pos], integer, nil
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.data) && s.data[s.pos] == c }

func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

// literal moves over true, false or null; the scanner stands on its first
// letter.
func (s *scanner) literal(word string) error {
	if len(s.data)-s.pos >= len(word) && string(s.data[s.pos:s.pos+len(word)]) == word {
		s.pos += len(word)
		return nil
	}
	for i := 0; i < len(word) && s.at(word[i]); i++ {
		s.pos++
	}
	return s.invalid()
}

// null moves over a null, if that is what comes next.
func (s *scanner) null() (bool, error) {
	if s.peek() != 'n' {
		return false, nil
	}
	return true, s.literal("null")
}

// skip moves over one value of any depth, without recursion. It says whether
// all of its strings were valid.
func (s *scanner) skip() (valid bool, err error) {
	valid = true
	var open []byte // the brackets that are open, innermost last
	for {
		c := s.peek()
		switch c {
		case '{', '[':
			s.pos++
			open = append(open, c)
			if closing := c + 2; s.peek() == closing { // '{'+2 is '}', '['+2 is ']'
				break
			}
			if c == '{' {
				if err := s.skipKey(&valid); err != nil {
					return valid, err
				}
			}
			continue
		case '"':
			t, err := s.str()
			if err != nil {
				return valid, err
			}
			valid = valid && t.valid
		case 't':
			err = s.literal("true")
		case 'f':
			err = s.literal("false")
		case 'n':
			err = s.literal("null")
		default:
			_, _, err = s.number()
		}
		if err != nil {
			return valid, err
		}
		// A value is over, or an empty container is about to be.
		for {
			if len(open) == 0 {
				return valid, nil
			}
			inner := open[len(open)-1]
			if s.take(inner + 2) {
				open = open[:len(open)-1]
				continue
			}
			if !s.take(',') {
				return valid, s.invalid()
			}
			if inner == '{' {
				if err := s.skipKey(&valid); err != nil {
					return valid, err
				}
			}
			break
		}
	}
}

func (s *scanner) skipKey(valid *bool) error {
	if s.peek() != '"' {
		return s.invalid()
	}
	t, err := s.str()
	if err != nil {
		return err
	}
	*valid = *valid && t.valid
	if !s.take(':') {
		return s.invalid()
	}
	return nil
}

// end makes sure that nothing follows.
func (s *scanner) end() error {
	if s.space(); s.pos < len(s.data) {
		return &Error{Kind: KindJSON, Message: "there must be exactly one JSON value", Offset: s.pos}
	}
	return nil
}
