package main

import (
	"slices"
	"strings"
	"unicode"
)

// printable replaces what a terminal would act on, in text that somebody else
// wrote.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

func sortedStrings(s []string) []string {
	slices.Sort(s)
	return s
}
