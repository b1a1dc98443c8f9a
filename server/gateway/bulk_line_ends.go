package gateway

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// nextLine is the byte that readers of Latin-1 treat as the end of a line. In UTF-8 it is
// part of U+0085, which other readers treat as the end of a line, and of many letters.
const nextLine = 0x85

// escapeLineEnds returns a line of JSON with every character escaped at which a reader could
// split the line: U+0085, U+2028 and U+2029, which Python's splitlines treats as ends of
// a line, and every other character whose UTF-8 form contains the byte 0x85. JSON already
// escapes the control characters of ASCII. The newline at the end is kept.
func escapeLineEnds(line []byte) []byte {
	var out []byte
	done := 0
	for i := 0; i < len(line); {
		if line[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(line[i:])
		if r == '\u2028' || r == '\u2029' || bytes.IndexByte(line[i:i+size], nextLine) >= 0 {
			out = appendEscaped(append(out, line[done:i]...), r)
			done = i + size
		}
		i += size
	}
	if done == 0 {
		return line
	}
	return append(out, line[done:]...)
}

// appendEscaped appends a character as a JSON escape sequence.
func appendEscaped(out []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return fmt.Appendf(out, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(out, `\u%04x`, r)
}
