package digajson

import "bytes"

// A scanner reads JSON off a slice, by the grammar of RFC 8259 and no other.
// Its methods leave pos behind what they read.
type scanner struct {
	data []byte
	pos  int
}

// A syntaxError says that the input is not JSON, or ends too early.
type syntaxError struct {
	offset  int
	message string
}

func (e *syntaxError) Error() string { return e.message }

// unexpected returns the error for the byte at pos, or for the lack of it.
func (s *scanner) unexpected(wanted string) error {
	if s.pos >= len(s.data) {
		return &syntaxError{len(s.data), "the JSON ends too early"}
	}
	return &syntaxError{s.pos, "not valid JSON: expected " + wanted}
}

// peek skips white space and returns the byte after it, or 0 at the end. A NUL
// in the input looks the same, which is as well, since it is allowed nowhere.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) && s.data[s.pos] > ' ' {
		return s.data[s.pos]
	}
	return s.peekOverSpace()
}

func (s *scanner) peekOverSpace() byte {
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// literal reads null, true or false.
func (s *scanner) literal(word string) error {
	rest := s.data[s.pos:]
	if len(rest) < len(word) {
		if string(rest) == word[:len(rest)] {
			s.pos = len(s.data)
		}
		return s.unexpected("a value")
	}
	if string(rest[:len(word)]) != word {
		return s.unexpected("a value")
	}
	s.pos += len(word)
	return nil
}

// null reads a null, if that is what comes next.
func (s *scanner) null() (bool, error) {
	if s.peek() != 'n' {
		return false, nil
	}
	err := s.literal("null")
	return err == nil, err
}

// member moves to the next member of an object and returns its key; pos is at
// its value then. For the first one pos is behind the opening brace. Instead of
// a member it may find the closing brace, which it passes: ok is false.
func (s *scanner) member(first bool) (key text, ok bool, err error) {
	c := s.peek()
	if c == '}' {
		s.pos++
		return text{}, false, nil
	}
	if !first {
		if c != ',' {
			return text{}, false, s.unexpected("',' or '}'")
		}
		s.pos++
	}
	key, err = s.key()
	return key, err == nil, err
}

// key reads the key of a member and the colon behind it.
func (s *scanner) key() (text, error) {
	if s.peek() != '"' {
		return text{}, s.unexpected("a key")
	}
	key, err := s.text()
	if err != nil {
		return text{}, err
	}
	if s.peek() != ':' {
		return text{}, s.unexpected("':'")
	}
	s.pos++
	return key, nil
}

// element moves to the next element of an array as member does to a member's.
func (s *scanner) element(first bool) (ok bool, err error) {
	c := s.peek()
	if c == ']' {
		s.pos++
		return false, nil
	}
	if first {
		return true, nil
	}
	if c != ',' {
		return false, s.unexpected("',' or ']'")
	}
	s.pos++
	return true, nil
}

// A skipped says what was found in a value that was skipped.
type skipped struct {
	depth  int  // how deep it nests: 0 for a scalar, 1 for an empty object
	broken bool // it holds a string that is not UTF-8
}

// skip reads one value for its grammar only. It needs no stack frame per level,
// so no nesting is too deep for it.
func (s *scanner) skip() (found skipped, err error) {
	var inline [64]byte
	open := inline[:0] // the closing byte of each object and array around pos
	for {
		c := s.peek()
		switch c {
		case '{', '[':
			s.pos++
			open = append(open, c+2) // '{' and '}', '[' and ']' are two apart
			found.depth = max(found.depth, len(open))
			if s.peek() == c+2 {
				break
			}
			if c == '{' {
				key, err := s.key()
				if err != nil {
					return found, err
				}
				found.broken = found.broken || key.broken
			}
			continue
		default:
			t, err := s.skipScalar(c)
			if err != nil {
				return found, err
			}
			found.broken = found.broken || t.broken
		}
		// A scalar, or an empty object or array that is still open, is behind
		// us: close what ends here, and go on with what comes next.
		for len(open) > 0 && s.peek() == open[len(open)-1] {
			s.pos++
			open = open[:len(open)-1]
		}
		if len(open) == 0 {
			return found, nil
		}
		if s.peek() != ',' {
			return found, s.unexpected("',' or '" + string(open[len(open)-1]) + "'")
		}
		s.pos++
		if open[len(open)-1] == '}' {
			key, err := s.key()
			if err != nil {
				return found, err
			}
			found.broken = found.broken || key.broken
		}
	}
}

// skipScalar reads the scalar that begins with c; the text is empty unless it
// is a string.
func (s *scanner) skipScalar(c byte) (t text, err error) {
	switch {
	case c == '"':
		return s.text()
	case c == 'n':
		return t, s.literal("null")
	case c == 't':
		return t, s.literal("true")
	case c == 'f':
		return t, s.literal("false")
	case startsNumber(c):
		_, err = s.number()
		return t, err
	}
	return t, s.unexpected("a value")
}

// end fails unless nothing but white space is left.
func (s *scanner) end() error {
	if s.peek() == 0 && s.pos == len(s.data) {
		return nil
	}
	return s.unexpected("nothing more")
}

// blank says whether there is nothing but white space in data.
func blank(data []byte) bool { return len(bytes.TrimLeft(data, " \t\r\n")) == 0 }
