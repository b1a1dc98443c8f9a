package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
)

// malformedError says that nothing of an input can be sent.
type malformedError struct{ error }

// firstPass checks the whole input before anything is sent, and lets the job see
// its rows. It returns the number of rows. A malformed row is an error, except with
// --keep-going.
func (c *Command) firstPass(ctx context.Context, in *input, j *job, p *progress) (int, error) {
	var found findings
	var line atomic.Int64
	stop := p.prepare(func() string { return fmt.Sprintf("checking the rows: line %d", line.Load()) })
	total, bad, err := checkRows(ctx, in, j, &found, p.say, func(r *row) {
		line.Store(int64(r.line))
		j.see(r)
	}, nil)
	stop()
	if err != nil || c.KeepGoing || !in.regular() {
		return total, err
	}
	p.showFindings(&found, maxShownRows)
	if bad > 0 {
		err = &malformedError{fmt.Errorf("malformed: %d of %s, so nothing was sent\n--keep-going sends the others", bad, rowCount(total))}
	}
	return total, err
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
	rows, err := in.open(ctx, j, warn)
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
// entries, and the new rows that are at Diga already. Copies that would surely stay
// unfinished are an error, unless the flags say what happens to them.
func (c *Command) preview(ctx context.Context, in *input, j *job, conn *connection, p *progress, inv *inventory) (map[*entry]string, []thereRow, error) {
	var found findings
	ts := c.templates(func(context.Context) (*connection, error) { return conn, nil }, p.say)
	lacking := make(map[*entry]string)
	var there []thereRow
	var same twins
	var line atomic.Int64
	stop := p.prepare(func() string { return fmt.Sprintf("looking at what copies would lack: line %d", line.Load()) })
	_, _, err := checkRows(ctx, in, j, new(findings), discardWarning, nil, func(r *row) error {
		line.Store(int64(r.line))
		e := j.find(r.copy.GetRequestId())
		if e != nil && (e.isMade() || !j.makesItself(e)) {
			return nil
		}
		lacks, err := ts.check(ctx, &found, r)
		if len(lacks) > 0 {
			lacking[e] = strings.Join(lacks, ", ")
		} else if e != nil && j.isFresh(e) {
			name := ts.nameOfCopy(r)
			if has, ok := inv.find(e.line, name, r.copy.GetTemplateId()); ok {
				there = append(there, thereRow{e, has})
			} else {
				same.add(r.line, name, r.copy.GetTemplateId())
			}
		}
		return err
	})
	stop()
	if err != nil {
		return nil, nil, err
	}
	if len(found.texts) > 0 {
		p.showFindings(&found, maxShownRows)
	}
	p.showTwins(&same)
	if ts.missing == 0 && len(lacking) == 0 || c.KeepGoing {
		return lacking, there, nil
	}
	advice := "--keep-going sends only the other rows"
	if len(lacking) > 0 && ts.missing == 0 {
		advice = "--unfinished=allow makes them all the same; --keep-going leaves them out"
	}
	return nil, nil, fmt.Errorf("%w: of %s%s\n%s", errNothingSent, rowCount(ts.rows), ts.counts(), advice)
}

// errNothingSent ends a run before it sent anything.
var errNothingSent = errors.New("nothing was sent")

// showFindings writes the first findings, which stay.
func (p *progress) showFindings(found *findings, most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	if left := found.write(p.w, most); left > 0 {
		fmt.Fprintf(p.w, "and %d more; --dry-run shows all of them\n", left)
	}
}
