// Package lex reads and writes the tokens of JSON (RFC 8259). It knows the grammar
// and nothing of messages or of Diga's dialect.
package lex

import "strings"

// Error is a text that is not JSON.
type Error struct {
	// Message names the fault.
	Message string
	// Offset is the byte at which the fault is.
	Offset int
}

func (e *Error) Error() string { return e.Message }

// Scanner moves over JSON text. It takes only JSON as RFC 8259 has it; every failure
// is an [Error]. The texts that it returns share memory with Data.
type Scanner struct {
	Data string
	Pos  int
	// Skipped counts the values that Skip moved over, each object and array among
	// them. Deepest is how many objects and arrays were open at once.
	Skipped, Deepest int
}

// space moves over white space.
func (s *Scanner) space() {
	for s.Pos < len(s.Data) {
		switch s.Data[s.Pos] {
		case ' ', '\t', '\r', '\n':
			s.Pos++
		default:
			return
		}
	}
}

// Peek moves over white space and returns the byte after it, 0 at the end.
func (s *Scanner) Peek() byte {
	s.space()
	if s.Pos < len(s.Data) {
		return s.Data[s.Pos]
	}
	return 0
}

// Take moves over the next byte after white space if it is c, which is not 0.
func (s *Scanner) Take(c byte) bool {
	if s.Peek() == c {
		s.Pos++
		return true
	}
	return false
}

// Invalid returns the error for the byte that comes next.
func (s *Scanner) Invalid() error {
	msg := "the JSON is not valid here"
	if s.Pos >= len(s.Data) {
		msg = "the JSON ends too early"
	}
	return &Error{Message: msg, Offset: s.Pos}
}

// Literal moves over true, false or null, on whose first letter the scanner is.
func (s *Scanner) Literal(word string) error {
	if strings.HasPrefix(s.Data[s.Pos:], word) {
		s.Pos += len(word)
		return nil
	}
	for i := 0; i < len(word) && s.at(word[i]); i++ {
		s.Pos++
	}
	return s.Invalid()
}

// Null moves over a null if one comes next, and reports whether it did.
func (s *Scanner) Null() (bool, error) {
	if s.Peek() != 'n' {
		return false, nil
	}
	return true, s.Literal("null")
}

// Skip moves over one value of any depth, without recursion. It reports whether all
// strings of the value were valid.
func (s *Scanner) Skip() (valid bool, err error) {
	valid = true
	var open []byte // the open brackets, innermost last
	for {
		c := s.Peek()
		s.Skipped++
		switch c {
		case '{', '[':
			s.Pos++
			open = append(open, c)
			s.Deepest = max(s.Deepest, len(open))
			if closing := c + 2; s.Peek() == closing { // '{'+2 is '}', '['+2 is ']'
				break
			}
			if c == '{' {
				if err := s.skipKey(&valid); err != nil {
					return valid, err
				}
			}
			continue
		case '"':
			t, err := s.Str()
			if err != nil {
				return valid, err
			}
			valid = valid && t.Valid
		case 't':
			err = s.Literal("true")
		case 'f':
			err = s.Literal("false")
		case 'n':
			err = s.Literal("null")
		default:
			_, _, err = s.Number()
		}
		if err != nil {
			return valid, err
		}
		// A value ended, or an empty container is about to end.
		for {
			if len(open) == 0 {
				return valid, nil
			}
			inner := open[len(open)-1]
			if s.Take(inner + 2) {
				open = open[:len(open)-1]
				continue
			}
			if !s.Take(',') {
				return valid, s.Invalid()
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

// skipKey moves over a key and its colon.
func (s *Scanner) skipKey(valid *bool) error {
	if s.Peek() != '"' {
		return s.Invalid()
	}
	t, err := s.Str()
	if err != nil {
		return err
	}
	*valid = *valid && t.Valid
	if !s.Take(':') {
		return s.Invalid()
	}
	return nil
}

// End returns an error if anything but white space follows.
func (s *Scanner) End() error {
	if s.space(); s.Pos < len(s.Data) {
		return &Error{Message: "there must be exactly one JSON value", Offset: s.Pos}
	}
	return nil
}
