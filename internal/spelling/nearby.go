package spelling

import (
	"strings"
	"unicode/utf8"
)

// Nearby returns the names that somebody may have meant, all of them equally likely:
// those that [Nearest] would choose from, and those that begin with what was written. If
// there is none, it returns the names of several words, joined by hyphens, of which one
// word is so near: grpc-addr for adr, upstream-url for url.
func Nearby(written string, names []string) []string {
	if near := nearby(written, 2, names, func(name string) []string { return []string{name} }); near != nil {
		return near
	}
	return nearby(written, 3, names, func(name string) []string { return strings.Split(name, "-") })
}

// nearby returns the names whose nearest part is no farther than that of any other name:
// at most one change for so many letters.
func nearby(written string, letters int, names []string, parts func(name string) []string) (near []string) {
	if written == "" || len(written) > maxLen {
		return nil
	}
	most := min(utf8.RuneCountInString(written)/letters, 4)
	best := max(most, 1)
	for _, name := range names {
		if len(name) > maxLen {
			continue
		}
		d := best + 1
		for _, part := range parts(name) {
			if strings.HasPrefix(part, written) && part != written {
				d = min(d, 1)
			} else if changes := distance(strings.ToLower(written), strings.ToLower(part)); changes <= most {
				d = min(d, changes)
			}
		}
		switch {
		case d < best:
			near, best = []string{name}, d
		case d == best:
			near = append(near, name)
		}
	}
	return near
}
