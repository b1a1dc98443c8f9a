// Package lex reads and writes JSON tokens (RFC 8259). It implements only the grammar,
// and does not depend on messages or on Diga's dialect.
package lex

import "strings"

// Error says that a text is not valid JSON.
type Error struct {
	// Message describes the error.
	Message string
	// Offset is the byte offset of the error.
	Offset int
}

func (e *Error) Error() string { return e.Message }

// Scanner reads JSON text. It accepts only valid JSON (RFC 8259), and every failure is an
// [Error]. The texts that it returns share memory with Data.
type Scanner struct {
	Data string
	Pos  int
	// Skipped is the number of values that Skip has skipped, including objects and
	// arrays. Deepest is the greatest nesting depth so far.
	Skipped, Deepest int
}

// space skips white space.
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

// Peek skips white space and returns the next byte, or 0 at the end.
func (s *Scanner) Peek() byte {
	s.space()
	if s.Pos < len(s.Data) {
		return s.Data[s.Pos]
	}
	return 0
}

// Take skips white space, and moves past the next byte if it is c. c must not be 0.
func (s *Scanner) Take(c byte) bool {
	if s.Peek() == c {
		s.Pos++
		return true
	}
	return false
}

// Invalid returns the error for the next byte.
func (s *Scanner) Invalid() error {
	msg := "the JSON is not valid here"
	if s.Pos >= len(s.Data) {
		msg = "the JSON ends too early"
	}
	return &Error{Message: msg, Offset: s.Pos}
}

// Literal reads true, false or null. The scanner must be at its first letter.
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

// Null reads null if it comes next, and reports whether it did.
func (s *Scanner) Null() (bool, error) {
	if s.Peek() != 'n' {
		return false, nil
	}
	return true, s.Literal("null")
}

// Skip skips one value of any depth, without recursion. It reports whether all strings in
// the value were valid.
func (s *Scanner) Skip() (valid bool, err error) {
	valid = true
	var open []byte // the open brackets, the innermost last
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
		// A value has ended, or an empty container is about to end.
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

// skipKey skips a key and its colon.
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

// End returns an error if anything other than white space follows.
func (s *Scanner) End() error {
	if s.space(); s.Pos < len(s.Data) {
		return &Error{Message: "there must be exactly one JSON value", Offset: s.Pos}
	}
	return nil
}
