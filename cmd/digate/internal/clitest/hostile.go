package clitest

import (
	"strings"
	"unicode"
)

// Hostile is text that a terminal would act on: a title, a cleared screen, an
// eight-bit control, reversed writing, a line of its own. It also has harmless
// text in several scripts.
const Hostile = "a\x1b]0;x\x07\x1b[2J\u009b2J\u202eb\r\nc\x7f\u2028 \u00a0ñ日\u3000😀\U000e0001"

// Unharmed reports whether the harmless parts of Hostile are in s.
func Unharmed(s string) bool {
	for _, harmless := range []string{"ñ日", "\u3000😀"} {
		if !strings.Contains(s, harmless) {
			return false
		}
	}
	return true
}

// Harmful returns the first rune in s that a terminal acts on.
func Harmful(s string) (rune, bool) {
	for _, r := range s {
		if r != '\n' && !unicode.IsGraphic(r) {
			return r, true
		}
	}
	return 0, false
}
