package nearjson

import (
	"bytes"
	"regexp"
)

// guard is what some servers and proxies put before JSON, so that no script of a
// foreign page can read it.
var guard = regexp.MustCompile(`^(?:\)\]\}'?,?|while ?\(1\);|for ?\(;;\);|throw 1;|\{\} ?&&)`)

// unguarded returns the text without what is before its first token: white space,
// guards and comments. A comment that has the whole text in it is a guard too.
func unguarded(text []byte) []byte {
	for {
		text = bytes.TrimLeftFunc(text, blank)
		if n := len(guard.Find(text)); n > 0 {
			text = text[n:]
			continue
		}
		n := comment(text)
		if n == 0 {
			return text
		}
		if inner := bytes.TrimLeftFunc(text[len("/*"):n], blank); begins(inner) && len(bytes.TrimLeftFunc(text[n:], blank)) == 0 {
			return bytes.TrimSuffix(inner, []byte("*/"))
		}
		text = text[n:]
	}
}

// begins reports whether an object or array begins here.
func begins(text []byte) bool { return len(text) > 0 && (text[0] == '{' || text[0] == '[') }

// commented reports whether a comment begins here.
func commented(text []byte) bool {
	return len(text) > 1 && text[0] == '/' && (text[1] == '*' || text[1] == '/')
}

// comment returns the length of the comment that the text begins with, 0 if it
// begins with none. One without an end takes the rest of the text.
func comment(text []byte) int {
	if !commented(text) {
		return 0
	}
	end := "\n"
	if text[1] == '*' {
		end = "*/"
	}
	if i := bytes.Index(text[2:], []byte(end)); i >= 0 {
		return 2 + i + len(end)
	}
	return len(text)
}
