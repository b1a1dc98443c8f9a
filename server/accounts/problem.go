package accounts

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one error in the file.
type Problem struct {
	// Line is the line of the error. It is 0 if the error concerns the whole file.
	Line int
	// Text describes the error. It quotes no token.
	Text string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.Text
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Text)
}

// maxProblems is the maximum number of problems that are reported.
const maxProblems = 100

// FileError is the error of an invalid file. It has all problems, ordered by line.
type FileError []Problem

// Error returns the problems, one per line.
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

// err returns the problems as an error, or nil if there are none.
func (p FileError) err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return p
}
