package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// printable replaces what a terminal would act on, in text that somebody else
// wrote.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// printableJSON escapes what a terminal would act on and JSON lets pass: what
// it means stays the same.
func printableJSON(json []byte) string {
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
