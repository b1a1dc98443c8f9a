package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
)

// malformedError is an input of which nothing can be sent.
type malformedError struct{ error }

// firstPass reads a file before anything is sent, and returns how many rows it
// has. Malformed ones end it, unless they may be left out.
func (c *bulkCmd) firstPass(ctx context.Context, input *bulkInput, stderr io.Writer) (int, error) {
	shown := maxShownRows
	if c.KeepGoing {
		shown = 0
	}
	total, bad, err := checkRows(ctx, input, stderr, discardWarning, shown)
	if err == nil && bad > 0 && !c.KeepGoing {
		err = &malformedError{fmt.Errorf("malformed: %d of %s, so nothing was sent; --keep-going sends the others", bad, rowCount(total))}
	}
	return total, err
}

func dryRun(ctx context.Context, input *bulkInput, std stdio) error {
	warn := func(text string) { fmt.Fprintln(std.err, text) }
	total, bad, err := checkRows(ctx, input, std.out, warn, math.MaxInt)
	switch {
	case err != nil:
		return err
	case bad > 0:
		fmt.Fprintf(std.out, "malformed: %d of %s; nothing was sent\n", bad, rowCount(total))
		return exitError(exitUsage)
	}
	_, err = fmt.Fprintf(std.out, "%s, none malformed; nothing was sent\n", rowCount(total))
	return err
}

func discardWarning(string) {}

// checkRows holds every row to the rules and says of so many at most what is
// wrong.
func checkRows(ctx context.Context, input *bulkInput, w io.Writer, warn func(string), shown int) (total, bad int, err error) {
	rows, err := input.open(uuid{}, warn)
	if err != nil {
		return 0, 0, err
	}
	defer rows.close()
	for ctx.Err() == nil {
		row, err := rows.next()
		if errors.Is(err, io.EOF) {
			return total, bad, nil
		}
		if err != nil {
			return total, bad, err
		}
		total++
		if err := row.resolve(input.contract); err != nil {
			if bad++; bad <= shown {
				fmt.Fprintf(w, "line %d: %s\n", row.line, printable(err.Error()))
			}
		}
	}
	return total, bad, errInterrupted
}
