package bulk

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/term"
)

// maxApart is how many rows with one finding get a line each. More share a line.
const maxApart = 3

// findings are what was found of rows, each text once with the lines of its rows.
type findings struct {
	texts []*finding
	by    map[string]*finding
	notes []string // on the whole input
}

type finding struct {
	text   string
	rows   int
	ranges []lineRange
}

// lineRange is a range of lines that follow each other.
type lineRange struct{ first, last int }

// maxRanges bounds the ranges of a finding that are remembered.
const maxRanges = 8

// add notes a finding of the row in a line.
func (f *findings) add(line int, text string) {
	found := f.by[text]
	if found == nil {
		if f.by == nil {
			f.by = make(map[string]*finding)
		}
		found = &finding{text: text}
		f.by[text] = found
		f.texts = append(f.texts, found)
	}
	found.add(line)
}

// add notes that it was found of the row in a line.
func (f *finding) add(line int) {
	f.rows++
	if n := len(f.ranges); n > 0 && f.ranges[n-1].last >= line-1 {
		f.ranges[n-1].last = max(line, f.ranges[n-1].last)
	} else if n <= maxRanges { // one more than is shown tells that there are more
		f.ranges = append(f.ranges, lineRange{line, line})
	}
}

// write writes the findings in the order of their first lines, at most so many of
// them. It returns how many it left out.
func (f *findings) write(w io.Writer, most int) (left int) {
	for i, found := range f.texts {
		if i >= most {
			left = len(f.texts) - most
			break
		}
		text := term.Printable(found.text)
		if found.rows <= maxApart {
			for _, r := range found.ranges {
				for line := r.first; line <= r.last; line++ {
					fmt.Fprintf(w, "line %d: %s\n", line, text)
				}
			}
			continue
		}
		fmt.Fprintf(w, "%s (%s): %s\n", found.where(), rowCount(found.rows), text)
	}
	for _, note := range f.notes {
		fmt.Fprintln(w, term.Printable(note))
	}
	return left
}

// where names the lines.
func (f *finding) where() string {
	var parts []string
	for _, r := range f.ranges[:min(len(f.ranges), maxRanges)] {
		if r.first == r.last {
			parts = append(parts, strconv.Itoa(r.first))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", r.first, r.last))
		}
	}
	if len(f.ranges) > maxRanges {
		parts = append(parts, "…")
	}
	return "lines " + strings.Join(parts, ", ")
}
