package bulk

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// likeName returns what names have in common that a person takes for one name: case,
// blanks and the composition of letters do not matter. It is empty for an empty name.
func likeName(name string) string {
	if plainName(name) {
		return name
	}
	return strings.ToLower(strings.Join(strings.Fields(norm.NFC.String(name)), " "))
}

// plainName reports whether likeName changes nothing, which spares most of its time.
func plainName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c >= 0x80 || 'A' <= c && c <= 'Z' || c <= ' ' {
			return false
		}
	}
	return true
}

// likeKey returns what keys have in common that a spreadsheet may have written in
// another way: 00123 and 123 are alike.
func likeKey(key string) string {
	like := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, key)
	if like != "" && strings.Trim(like, "0") == "" {
		return "0"
	}
	return strings.TrimLeft(like, "0")
}
