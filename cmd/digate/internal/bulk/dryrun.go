package bulk

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/file"
	"github.com/digate/digate/cmd/digate/internal/term"
)

// rehearsal is a run that sends nothing.
type rehearsal struct {
	*Command
	std   term.IO
	p     *progress
	job   *job // that a run would use; it is not changed
	link  link
	found findings
	ts    *templates
	inv   *inventory
	asked bool // for inv
	there []thereRow
	same  twins
	// lacking counts the rows whose copies would surely stay unfinished.
	lacking int
	// refusal is why a run would be refused.
	refusal error
}

// dryRun checks every row, and what its copy would lack. It reads each template
// once and sends no copy. Then it says what a run would do.
func (c *Command) dryRun(ctx context.Context, in *input, std term.IO) error {
	j, err := c.peekJob(in)
	if err != nil {
		return err
	}
	r := &rehearsal{Command: c, std: std, p: c.newProgress(std), job: j, link: link{flags: c.Flags}}
	defer r.link.close()
	r.ts = c.templates(r.link.dial, r.warn)
	if in.regular() {
		r.refusal = r.meet(ctx, in)
	}
	var line atomic.Int64
	stop := r.p.prepare(func() string { return fmt.Sprintf("checking the rows: line %d", line.Load()) })
	total, bad, err := checkRows(ctx, in, j, &r.found, r.warn, func(next *row) {
		line.Store(int64(next.line))
		j.see(next)
	}, func(next *row) error { return r.check(ctx, next) })
	stop()
	r.found.write(std.Out, math.MaxInt)
	r.same.write(std.Out)
	if err != nil {
		return notConnected(std.Err, err)
	}
	ch, err := r.changes(ctx)
	if err != nil {
		return notConnected(std.Err, err)
	}
	asks := r.ask(ch)
	end, text := client.ExitDone, "none malformed"
	if asks || r.ts.unresolved > 0 && c.Unresolved == "refuse" || r.lacking > 0 {
		end = client.ExitNotSent
	}
	if r.ts.missing > 0 {
		end = client.ExitRejected
	}
	if bad > 0 {
		end, text = client.ExitUsage, fmt.Sprintf("%d malformed", bad)
	}
	if _, err := fmt.Fprintf(std.Out, "%s, %s%s; nothing was sent\n", rowCount(total), text, r.ts.counts()); err != nil {
		return err
	}
	if r.refusal != nil {
		return r.refusal
	}
	r.tellOfJob(total, ch)
	if end == client.ExitDone {
		return nil
	}
	return client.ExitError(end)
}

// ask shows the rows of which a run would ask what happens to them. It reports whether
// there are any.
func (r *rehearsal) ask(ch changes) (asks bool) {
	if r.Changed == "" && ch.any() {
		ch.show(r.std.Out)
		asks = true
	}
	if r.Existing == "" && len(r.there) > 0 {
		r.showExisting(r.std.Out, r.there)
		asks = true
	}
	return asks
}

// meet lets the job see the rows, and rows that it lost or that other jobs made. It
// returns why a run would be refused for them. What is wrong with the input is found
// later.
func (r *rehearsal) meet(ctx context.Context, in *input) error {
	see := func(next *row) { r.job.see(next) }
	if _, _, err := checkRows(ctx, in, r.job, new(findings), discardWarning, see, nil); err != nil {
		return nil // it is found once more
	}
	if err := r.recover(r.job, r.warn); err != nil {
		return err
	}
	return r.lookElsewhere(ctx, in, r.job)
}

func (r *rehearsal) warn(text string) { r.p.say(text) }

// check checks a row that is not malformed.
func (r *rehearsal) check(ctx context.Context, next *row) error {
	lacks, err := r.ts.check(ctx, &r.found, next)
	if err != nil {
		return err
	}
	if len(lacks) > 0 {
		r.lacking++
		return nil
	}
	e := r.job.find(next.copy.GetRequestId())
	if e == nil || !r.job.isFresh(e) {
		return nil
	}
	if !r.asked {
		r.asked = true
		conn, err := r.link.dial(ctx)
		if err != nil {
			return err
		}
		if r.inv, err = r.takeInventory(ctx, r.job, conn, r.p); err != nil {
			return err
		}
	}
	name := r.ts.nameOfCopy(next)
	if has, ok := r.inv.find(e.line, name, next.copy.GetTemplateId()); ok {
		r.there = append(r.there, thereRow{e, has})
	} else {
		r.same.add(next.line, name, next.copy.GetTemplateId())
	}
	return nil
}

// changes returns the rows that have changed since the job sent them.
func (r *rehearsal) changes(ctx context.Context) (ch changes, err error) {
	r.there = slices.DeleteFunc(r.there, func(row thereRow) bool { return !r.job.isFresh(row.row) })
	if !r.job.fresh() || len(r.job.promises) == 0 {
		return ch, nil
	}
	conn, err := r.link.dial(ctx)
	if err != nil {
		return ch, err
	}
	if err := r.job.resumable(conn.ledger, time.Now()); err != nil {
		return ch, err
	}
	if err := r.job.mustBeRemembered(ctx, conn); err != nil {
		return ch, err
	}
	if err := r.job.askAboutGone(ctx, conn, newPromise(r.Addr, conn.ledger, time.Now())); err != nil {
		return ch, err
	}
	if r.there, err = r.job.notMadeByItself(ctx, conn, r.there); err != nil {
		return ch, err
	}
	return r.job.findChanges(), nil
}

// tellOfJob says which job a run would use, and what the job knows of the rows.
func (r *rehearsal) tellOfJob(total int, ch changes) {
	j := r.job
	switch path := term.Printable(j.path); {
	case path == "":
		r.warn("a run needs --job FILE for its job, because the input is no file")
		return
	case len(j.promises) == 0 && r.NewJob && file.IsRegular(j.path):
		r.warn(fmt.Sprintf("a run would begin a new job in %s,\nand keep the earlier one under another name", path))
		return
	case len(j.promises) == 0:
		r.warn("a run would begin a new job, kept in " + path)
		return
	}
	made, fresh, doubt := 0, 0, 0
	for _, e := range j.entries {
		switch by := j.maker(e); {
		case !e.seen:
		case by.isMade():
			made++
		case j.isFresh(e):
			fresh++
		case by.state == rowDoubt:
			doubt++
		}
	}
	text := fmt.Sprintf("a run would resume the job of %s\nin %s: of %s, %d made already, %d new", stamp(j.Created), term.Printable(j.path), rowCount(total), made, fresh-len(ch.changed))
	for _, part := range []struct {
		n    int
		what string
	}{{len(ch.changed), "changed"}, {doubt, "in doubt"}, {total - made - fresh - doubt, "begun and not finished"}} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	r.warn(text)
}
