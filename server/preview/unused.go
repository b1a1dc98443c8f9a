package preview

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

const (
	// maxCompared bounds the variables and the placeholders that are compared with
	// each other.
	maxCompared = 100
	// maxComparedLen bounds their names, in bytes. No longer name is misspelt.
	maxComparedLen = 64
)

// addUnused adds the variables that no placeholder uses.
func (p *preview) addUnused() {
	names := slices.Sorted(maps.Keys(p.used))
	names = names[:min(len(names), maxCompared)]
	for _, name := range slices.Sorted(maps.Keys(p.variables)) {
		if p.used[name] {
			continue
		}
		unused := &integrationv1.UnusedVariable{Name: name}
		if len(p.out.UnusedVariables) < maxCompared {
			if near, ok := nearest(name, names); ok {
				unused.Nearest = &near
			}
		}
		p.out.UnusedVariables = append(p.out.UnusedVariables, unused)
	}
}

// nearest returns the name that is most like the misspelt one, if one is so near
// that slips of the pen explain it: at most one change for every two letters, and
// four changes.
func nearest(misspelt string, names []string) (near string, ok bool) {
	best := min(utf8.RuneCountInString(misspelt)/2, 4) + 1
	if len(misspelt) > maxComparedLen {
		return "", false
	}
	for _, name := range names {
		if len(name) > maxComparedLen {
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
