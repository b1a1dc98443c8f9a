package surface

import (
	"slices"
	"strings"
)

// renamed returns which of the new fields a field that is gone probably is now, -1 for
// none: one of the same kind and requiredness, with a name that is much like it or at
// the same place among the fields.
func renamed(gone *Field, before, added, after []*Field) int {
	best, distance := -1, 0
	for i, f := range added {
		if f.Kind != gone.Kind || f.Required != gone.Required {
			continue
		}
		d := edits(gone.Name, f.Name)
		if !near(gone.Name, f.Name, d) && slices.Index(before, gone) != slices.Index(after, f) {
			continue
		}
		if best < 0 || d < distance {
			best, distance = i, d
		}
	}
	return best
}

// moved returns which of the new operations one that is gone probably is now, -1 for
// none.
func moved(gone *Operation, added []*Operation) int {
	best, distance := -1, 0
	for i, o := range added {
		if o.Verb != gone.Verb || !alike(gone.requestShape(), o.requestShape()) || !alike(gone.responseShape(), o.responseShape()) {
			continue
		}
		d := edits(gone.Path, o.Path)
		if near(gone.Path, o.Path, d) && (best < 0 || d < distance) {
			best, distance = i, d
		}
	}
	return best
}

func (o *Operation) requestShape() *Shape {
	if o.Request == nil {
		return nil
	}
	return o.Request.Shape
}

func (o *Operation) responseShape() *Shape {
	if o.Response == nil {
		return nil
	}
	return o.Response.Shape
}

// alike reports whether two shapes have most of their fields in common.
func alike(a, b *Shape) bool {
	if a == nil || b == nil {
		return a == b
	}
	common := 0
	for _, f := range a.Fields {
		if b.field(f.Name) != nil {
			common++
		}
	}
	return a.Kind == b.Kind && 2*common >= max(len(a.Fields), len(b.Fields))
}

// near reports whether two names are spellings of each other, or one is within the
// other.
func near(a, b string, edits int) bool {
	return 3*edits <= max(len(a), len(b)) || strings.Contains(a, b) || strings.Contains(b, a)
}

// edits returns how many characters must be added, removed or replaced to make one
// name the other. Names are compared up to a length.
func edits(a, b string) int {
	const most = 200
	a, b = a[:min(most, len(a))], b[:min(most, len(b))]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
