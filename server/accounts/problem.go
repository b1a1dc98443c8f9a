package accounts

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is something that is wrong with the file.
type Problem struct {
	// Line is where, 0 for the whole file.
	Line int
	// Text says what is wrong. It quotes no token.
	Text string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.Text
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Text)
}

// maxProblems is how many problems are told of a file.
const maxProblems = 100

// FileError is the error of a file: all that is wrong with it, in the order of the
// lines.
type FileError []Problem

// Error returns a line for each problem.
func (p FileError) Error() string {
	lines := make([]string, 0, len(p))
	for i, problem := range p {
		if i == maxProblems {
			lines = append(lines, fmt.Sprintf("and %d more", len(p)-i))
			break
		}
		lines = append(lines, problem.String())
	}
	return strings.Join(lines, "\n")
}

func (p *FileError) addf(line int, format string, args ...any) {
	*p = append(*p, Problem{line, fmt.Sprintf(format, args...)})
}

// err returns the problems as an error, nil if there are none.
func (p FileError) err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return p
}
