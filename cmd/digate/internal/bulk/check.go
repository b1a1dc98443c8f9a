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
	total, bad, err := checkRows(ctx, in, stderr, discardWarning, shown, nil)
	if err == nil && bad > 0 && !c.KeepGoing {
		err = &malformedError{fmt.Errorf("malformed: %d of %s, so nothing was sent; --keep-going sends the others", bad, rowCount(total))}
	}
	return total, err
}

// dryRun checks every row, and what its copy would lack. It reads each template
// once and sends no copy.
func (c *Command) dryRun(ctx context.Context, in *input, std term.IO) error {
	warn := func(text string) { fmt.Fprintln(std.Err, text) }
	ts, done := c.templates()
	defer func() { done() }()
	total, bad, err := checkRows(ctx, in, std.Out, warn, math.MaxInt, func(r *row) error { return ts.check(ctx, std.Out, r) })
	if err != nil {
		return notConnected(std.Err, err)
	}
	end, found := client.ExitDone, "none malformed"
	if ts.unresolved > 0 && c.Unresolved == "refuse" {
		end = client.ExitNotSent
	}
	if ts.missing > 0 {
		end = client.ExitRejected
	}
	if bad > 0 {
		end, found = client.ExitUsage, fmt.Sprintf("%d malformed", bad)
	}
	for _, count := range []struct {
		n    int
		what string
	}{{ts.missing, "without a template"}, {ts.unfinished, "would need setup"}} {
		if count.n > 0 {
			found += fmt.Sprintf(", %d %s", count.n, count.what)
		}
	}
	if _, err := fmt.Fprintf(std.Out, "%s, %s; nothing was sent\n", rowCount(total), found); err != nil || end == client.ExitDone {
		return err
	}
	return client.ExitError(end)
}

func discardWarning(string) {}

// checkRows checks every row. It writes what is wrong with the first malformed
// rows, as many as shown, and calls good, if it is not nil, with every other row.
func checkRows(ctx context.Context, in *input, w io.Writer, warn func(string), shown int, good func(*row) error) (total, bad int, err error) {
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
			continue
		}
		if good != nil {
			if err := good(r); err != nil {
				return total, bad, err
			}
		}
	}
	return total, bad, errInterrupted
}
