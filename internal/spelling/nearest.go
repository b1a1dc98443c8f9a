// Package spelling finds the name that somebody meant.
package spelling

import (
	"strings"
	"unicode/utf8"
)

// maxLen bounds the names that are compared, in bytes. No longer name is misspelt.
const maxLen = 64

// Nearest returns the name that is most like the misspelt one, if one is so near
// that slips of the pen explain it: at most one change for every two letters, and
// four changes.
func Nearest(misspelt string, names []string) (near string, ok bool) {
	best := min(utf8.RuneCountInString(misspelt)/2, 4) + 1
	if len(misspelt) > maxLen {
		return "", false
	}
	for _, name := range names {
		if len(name) > maxLen {
			continue
		}
		if d := distance(strings.ToLower(misspelt), strings.ToLower(name)); d < best {
			near, best, ok = name, d, true
		}
	}
	return near, ok
}

// distance returns Levenshtein's distance of two texts: the fewest letters to
// insert, remove or replace.
func distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range to {
			cost := diagonal
			if x != y {
				cost++
			}
			diagonal, row[j+1] = row[j+1], min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(to)]
}
