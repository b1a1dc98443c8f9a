package apierror

import (
	"strings"
	"unicode"
)

// redactor replaces the secrets of a call in a text. A nil redactor replaces nothing.
type redactor func(string) string

// text returns a text from Diga that is safe to show. It redacts before and after
// cleaning, because a secret may contain control characters, and because cleaning may
// produce a secret from a text that contained none. The text must not have been cut: half
// a secret could remain.
func (r redactor) text(s string) string {
	if r == nil {
		return clean(s)
	}
	return r(clean(r(s)))
}

// untouched reports whether s contains nothing to redact.
func (r redactor) untouched(s string) bool { return r == nil || r(s) == s }

// clean repairs invalid UTF-8, and replaces with a space each character that could forge
// a log line or control a terminal: control characters, line and paragraph separators,
// and characters that reorder text.
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
