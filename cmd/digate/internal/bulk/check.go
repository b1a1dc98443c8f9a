package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/google/uuid"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
)

// malformedError says that nothing of an input can be sent.
type malformedError struct{ error }

// firstPass checks a file before anything is sent, and returns its number of
// rows. A malformed row is an error, except with --keep-going.
func (c *Command) firstPass(ctx context.Context, in *input, stderr io.Writer) (int, error) {
	shown := maxShownRows
	if c.KeepGoing {
		shown = 0
	}
	total, bad, err := checkRows(ctx, in, stderr, discardWarning, shown)
	if err == nil && bad > 0 && !c.KeepGoing {
		err = &malformedError{fmt.Errorf("malformed: %d of %s, so nothing was sent; --keep-going sends the others", bad, rowCount(total))}
	}
	return total, err
}

func dryRun(ctx context.Context, in *input, std term.IO) error {
	warn := func(text string) { fmt.Fprintln(std.Err, text) }
	total, bad, err := checkRows(ctx, in, std.Out, warn, math.MaxInt)
	switch {
	case err != nil:
		return err
	case bad > 0:
		fmt.Fprintf(std.Out, "malformed: %d of %s; nothing was sent\n", bad, rowCount(total))
		return client.ExitError(client.ExitUsage)
	}
	_, err = fmt.Fprintf(std.Out, "%s, none malformed; nothing was sent\n", rowCount(total))
	return err
}

func discardWarning(string) {}

// checkRows checks every row. It writes what is wrong with the first malformed
// rows, as many as shown.
func checkRows(ctx context.Context, in *input, w io.Writer, warn func(string), shown int) (total, bad int, err error) {
	rows, err := in.open(uuid.Nil, warn)
	if err != nil {
		return 0, 0, err
	}
	defer rows.close()
	for ctx.Err() == nil {
		r, err := rows.next()
		if errors.Is(err, io.EOF) {
			return total, bad, nil
		}
		if err != nil {
			return total, bad, err
		}
		total++
		if err := r.resolve(in.contract); err != nil {
			if bad++; bad <= shown {
				fmt.Fprintf(w, "line %d: %s\n", r.line, term.Printable(err.Error()))
			}
		}
	}
	return total, bad, errInterrupted
}
