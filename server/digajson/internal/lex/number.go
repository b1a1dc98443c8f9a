package lex

// Number reads a number and reports whether it is written as an integer.
func (s *Scanner) Number() (raw string, integer bool, err error) {
	start := s.Pos
	if s.at('-') {
		s.Pos++
	}
	switch {
	case s.at('0'):
		s.Pos++
	case !s.digits():
		return "", false, s.Invalid()
	}
	integer = true
	if s.at('.') {
		s.Pos++
		integer = false
		if !s.digits() {
			return "", false, s.Invalid()
		}
	}
	if s.at('e') || s.at('E') {
		s.Pos++
		integer = false
		if s.at('+') || s.at('-') {
			s.Pos++
		}
		if !s.digits() {
			return "", false, s.Invalid()
		}
	}
	return s.Data[start:s.Pos], integer, nil
}

// at reports whether the next byte is c.
func (s *Scanner) at(c byte) bool { return s.Pos < len(s.Data) && s.Data[s.Pos] == c }

// digits skips digits and reports whether there were any.
func (s *Scanner) digits() bool {
	start := s.Pos
	for s.Pos < len(s.Data) && s.Data[s.Pos] >= '0' && s.Data[s.Pos] <= '9' {
		s.Pos++
	}
	return s.Pos > start
}
