package digajson

import "strings"

// scanner walks over JSON text. It takes what RFC 8259 allows and nothing else.
// What is read shares the text's memory.
type scanner struct {
	data string
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

// literal moves over true, false or null; the scanner stands on its first
// letter.
func (s *scanner) literal(word string) error {
	if strings.HasPrefix(s.data[s.pos:], word) {
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
