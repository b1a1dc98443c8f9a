package term

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// OneLine turns line breaks and tabs into spaces.
var OneLine = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\t", " ")

// Printable replaces every rune that a terminal would act on. Text that came
// from elsewhere goes through it before it is shown.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// PrintableJSON escapes every rune that JSON allows and a terminal would act on.
// The JSON keeps its meaning.
func PrintableJSON(json []byte) string {
	var b strings.Builder
	for _, r := range string(json) {
		switch {
		case r == '\n' || unicode.IsGraphic(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
