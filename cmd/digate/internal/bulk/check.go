package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
)

// malformedError says that nothing of an input can be sent.
type malformedError struct{ error }

// firstPass checks the whole input before anything is sent, and lets the job see
// its rows. It returns the number of rows. A malformed row is an error, except with
// --keep-going.
func (c *Command) firstPass(ctx context.Context, in *input, j *job, p *progress) (int, error) {
	var found findings
	total, bad, err := checkRows(ctx, in, j, &found, p.say, func(r *row) { j.see(r) }, nil)
	if err != nil || c.KeepGoing || !in.regular() {
		return total, err
	}
	p.showFindings(&found, maxShownRows)
	if bad > 0 {
		err = &malformedError{fmt.Errorf("malformed: %d of %s, so nothing was sent\n--keep-going sends the others", bad, rowCount(total))}
	}
	return total, err
}

// dryRun checks every row, and what its copy would lack. It reads each template
// once and sends no copy.
func (c *Command) dryRun(ctx context.Context, in *input, std term.IO) error {
	warn := func(text string) { fmt.Fprintln(std.Err, text) }
	var found findings
	lacking := 0
	ts, done := c.templates(nil, warn)
	defer func() { done() }()
	total, bad, err := checkRows(ctx, in, new(job), &found, warn, nil, func(r *row) error {
		lacks, err := ts.check(ctx, &found, r)
		if len(lacks) > 0 {
			lacking++
		}
		return err
	})
	found.write(std.Out, math.MaxInt)
	if err != nil {
		return notConnected(std.Err, err)
	}
	end, text := client.ExitDone, "none malformed"
	if ts.unresolved > 0 && c.Unresolved == "refuse" || lacking > 0 {
		end = client.ExitNotSent
	}
	if ts.missing > 0 {
		end = client.ExitRejected
	}
	if bad > 0 {
		end, text = client.ExitUsage, fmt.Sprintf("%d malformed", bad)
	}
	if _, err := fmt.Fprintf(std.Out, "%s, %s%s; nothing was sent\n", rowCount(total), text, ts.counts()); err != nil || end == client.ExitDone {
		return err
	}
	return client.ExitError(end)
}

// counts says of how many rows something was found.
func (ts *templates) counts() (text string) {
	for _, count := range []struct {
		n    int
		what string
	}{{ts.missing, "without a template"}, {ts.unfinished, "would need setup"}, {ts.unchecked, "not checked"}} {
		if count.n > 0 {
			text += fmt.Sprintf(", %d %s", count.n, count.what)
		}
	}
	return text
}

func discardWarning(string) {}

// checkRows checks every row and notes what is wrong with the malformed ones. If
// they are not nil, it calls see with every row that has a request id, before its
// secrets are read, and good with every row that is not malformed.
func checkRows(ctx context.Context, in *input, j *job, found *findings, warn func(string), see func(*row), good func(*row) error) (total, bad int, err error) {
	rows, err := in.open(j, warn)
	if err != nil {
		return 0, 0, err
	}
	defer rows.close()
	for ctx.Err() == nil {
		r, err := rows.next()
		if errors.Is(err, io.EOF) {
			rows.end(found)
			return total, bad, nil
		}
		if err != nil {
			return total, bad, err
		}
		total++
		if r.err == nil && see != nil {
			see(r)
		}
		for _, doubt := range r.doubts {
			found.add(r.line, doubt)
		}
		if err := r.resolve(in.contract); err != nil {
			bad++
			found.add(r.line, err.Error())
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

// preview looks at what the copies of the input's rows would lack, before any is
// sent. It returns what is lacking in rows that are not to be sent, by their
// entries. Copies that would surely stay unfinished are an error, unless the flags
// say what happens to them.
func (c *Command) preview(ctx context.Context, in *input, j *job, conn *connection, p *progress) (map[*entry]string, error) {
	var found findings
	ts, done := c.templates(conn, p.say)
	defer done()
	lacking := make(map[*entry]string)
	_, _, err := checkRows(ctx, in, j, new(findings), discardWarning, nil, func(r *row) error {
		e := j.find(r.copy.GetRequestId())
		if e != nil && (e.isMade() || !j.makesItself(e)) {
			return nil
		}
		lacks, err := ts.check(ctx, &found, r)
		if len(lacks) > 0 {
			lacking[e] = strings.Join(lacks, ", ")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(found.texts) > 0 {
		p.showFindings(&found, maxShownRows)
	}
	if ts.missing == 0 && len(lacking) == 0 {
		return nil, nil
	}
	if c.KeepGoing {
		return lacking, nil
	}
	advice := "--keep-going sends only the other rows"
	if len(lacking) > 0 && ts.missing == 0 {
		advice = "--unfinished=allow makes them all the same; --keep-going leaves them out"
	}
	return nil, fmt.Errorf("%w: of %s%s\n%s", errUnfinished, rowCount(ts.rows), ts.counts(), advice)
}

// errUnfinished says that copies would surely stay unfinished.
var errUnfinished = errors.New("nothing was sent")

// showFindings writes the first findings, which stay.
func (p *progress) showFindings(found *findings, most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	if left := found.write(p.w, most); left > 0 {
		fmt.Fprintf(p.w, "and %d more; --dry-run shows all of them\n", left)
	}
}
