package complete

import (
	"bufio"
	"context"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/cmd/digate/internal/term"
)

// Name is the hidden command that the scripts call. Its arguments are -- and the
// words of the line, of which the last is to be completed. Each line of its
// output is a candidate, followed by a tab and a description if there is one.
// The output :files alone means that the shell should complete file names.
const Name = "__complete"

const files = ":files"

// maxAbout bounds the description of a candidate, in columns.
const maxAbout = 60

// Candidate is a word that can be completed to.
type Candidate struct{ Value, About string }

// Program is the program whose command lines are completed.
type Program interface {
	// Parser returns a parser of all command lines.
	Parser(context.Context) (*kong.Kong, error)
	// IDs runs a command line that lists, and returns the ids in the list.
	IDs(ctx context.Context, args []string) []Candidate
}

// Write writes the candidates. It reports no error, because messages would
// disturb the person who is typing: after an error there are fewer candidates.
func Write(ctx context.Context, program Program, args []string, out io.Writer) {
	if len(args) < 2 || args[0] != "--" {
		return
	}
	l, err := readLine(ctx, program, args[1:])
	if err != nil {
		return
	}
	w := bufio.NewWriter(out)
	defer func() { _ = w.Flush() }()
	for _, c := range l.candidates(ctx) {
		if c.Value != files && !strings.HasPrefix(c.Value, l.word) {
			continue
		}
		_, _ = w.WriteString(term.Printable(c.Value))
		if c.About != "" {
			_, _ = w.WriteString("\t" + term.Cut(term.Printable(term.OneLine.Replace(c.About)), maxAbout))
		}
		_ = w.WriteByte('\n')
	}
}
