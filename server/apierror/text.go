package apierror

import (
	"strings"
	"unicode"
)

// redactor replaces the secrets of a call in a text; nil replaces nothing.
type redactor func(string) string

// text makes a text of Diga's fit to show. A secret may hold control
// characters, and cleaning may bring one about that held none: so it is redacted
// before and after. It is never cut before, which could leave half a secret.
func (r redactor) text(s string) string {
	if r == nil {
		return clean(s)
	}
	return r(clean(r(s)))
}

// untouched reports whether there is nothing to redact in s.
func (r redactor) untouched(s string) bool { return r == nil || r(s) == s }

// clean repairs invalid UTF-8 and puts a space in the place of whatever could
// forge a line of a log or steer a terminal: control characters, line and
// paragraph separators, and those that reorder text.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r >= ' ' && r <= '~':
			return r
		case unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control):
			return ' '
		default:
			return r
		}
	}, s))
}
