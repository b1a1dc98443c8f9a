package emulator

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

const urn = "urn:uuid:"

// parseUUID reads the forms that pydantic accepts (hyphenated, 32 digits, in braces, as a URN; digits
// of either case) and returns the canonical form. If s is no UUID, why is pydantic's message.
func parseUUID(s string) (id, why string) {
	// If the length is right, braces or the prefix are removed first. Otherwise positions and lengths
	// in messages include them.
	switch {
	case len(s) == 38 && s[0] == '{' && s[37] == '}':
		s = s[1:37]
	case len(s) == 45 && strings.HasPrefix(s, urn):
		s = s[len(urn):]
	}
	inner, offset := s, 0
	switch {
	case len(s) > 1 && s[0] == '{' && s[len(s)-1] == '}':
		inner, offset = s[1:len(s)-1], 1
	case strings.HasPrefix(s, urn):
		inner, offset = s[len(urn):], len(urn)
	}
	var groups []int // the length of each
	last := -1
	for i, r := range inner {
		switch {
		case r == '-':
			groups = append(groups, i-last-1)
			last = i
		case r >= utf8.RuneSelf || !strings.ContainsRune("0123456789abcdefABCDEF", r):
			return "", fmt.Sprintf("invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-], found `%c` at %d", r, i+offset+1)
		}
	}
	groups = append(groups, len(inner)-last-1)
	switch {
	case len(groups) == 1 && offset == 0 && len(s) != 32:
		return "", fmt.Sprintf("invalid length: expected length 32 for simple format, found %d", len(s))
	case len(groups) == 1 && offset == 0:
		return formatUUID(inner), ""
	case len(groups) != 5:
		return "", fmt.Sprintf("invalid group count: expected 5, found %d", len(groups))
	}
	for i, want := range []int{8, 4, 4, 4} {
		if groups[i] != want {
			return "", fmt.Sprintf("invalid group length in group %d: expected %d, found %d", i, want, groups[i])
		}
	}
	if groups[4] != 12 {
		// The length found reaches to the end of s, including a brace.
		return "", fmt.Sprintf("invalid group length in group 4: expected 12, found %d", len(s)-24)
	}
	return formatUUID(strings.ReplaceAll(inner, "-", "")), ""
}

func formatUUID(digits string) string {
	d := strings.ToLower(digits)
	return d[:8] + "-" + d[8:12] + "-" + d[12:16] + "-" + d[16:20] + "-" + d[20:]
}

// uuid4 returns a version 4 UUID made of sixteen random bytes.
func uuid4(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return formatUUID(hex.EncodeToString(b[:]))
}
