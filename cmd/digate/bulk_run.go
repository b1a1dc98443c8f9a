package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

const (
	// maxTries is how often a copy is asked for that is answered with an
	// invitation to ask again.
	maxTries = 5
	// How long to wait before a copy is asked for again, where the server does
	// not say, and at most.
	firstWait = 500 * time.Millisecond
	lastWait  = 30 * time.Second
	// How long to wait before a new connection, at first and at most.
	firstReconnect = 200 * time.Millisecond
	lastReconnect  = 10 * time.Second
)

// bulkItem is a row that is to be sent or was, and has no result yet.
type bulkItem struct {
	row *bulkRow
	// onStream says that the present stream owes an answer.
	onStream bool
	// sent is when it was first sent without an answer that nothing was done.
	sent  time.Time
	tries int
	due   time.Time       // of one that is to be asked for again
	last  *apierror.Error // what it was answered with the last time
}

// bulkRun sends rows and gets the result of each, over as many streams as it
// takes. At most window of them are held at a time. It is used by one goroutine.
type bulkRun struct {
	flags      clientFlags
	job        *bulkJob
	contract   *contract
	window     int
	reconnects int           // without an answer between them
	grace      time.Duration // for what is under way, once the context has ended
	stall      time.Duration // with nothing from the server
	report     *bulkReport
	rows       <-chan *bulkRow // nil once they have ended

	link     *bulkLink
	pending  map[string]*bulkItem // by request id
	queue    []*bulkItem          // those of them to send now
	later    []*bulkItem          // those to send once they are due
	answers  int
	failures int // streams and connections in a row without an answer
}

// all sends every row of an input. It returns what ended it before, if anything
// did, and why the input could not be read to its end. With rest, rows that were
// not begun have a result too, and so every row has one.
func (r *bulkRun) all(ctx context.Context, timeout time.Duration, input *bulkInput, rest bool) (why, err error) {
	interrupt := ctx
	ctx, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	defer context.AfterFunc(interrupt, func() { stop(errInterrupted) })()
	if timeout > 0 {
		defer time.AfterFunc(timeout, func() { stop(errTimedOut) }).Stop()
	}
	r.report.stop = stop
	rows, err := input.open(r.job.ID, r.report.say)
	if err != nil {
		return nil, err
	}
	reading, quit := context.WithCancel(context.WithoutCancel(ctx))
	defer quit()
	read, end := make(chan *bulkRow), make(chan error, 1)
	go func() { end <- rows.send(reading, read) }()
	r.rows = read

	defer r.report.run()()
	r.run(ctx, stop)
	if len(r.pending) > 0 || r.rows != nil {
		why = context.Cause(ctx)
		r.abandon(why, rest)
	}
	if r.rows == nil {
		err = <-end
	}
	return why, err
}

// run returns when every row has its result or the context has ended; then
// nothing new is begun, and what is under way has the grace to end. stop ends
// the context, with what makes it pointless to go on.
func (r *bulkRun) run(ctx context.Context, stop context.CancelCauseFunc) {
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(r.grace, cut) })()
	defer r.unlink()
	for it := r.next(ctx); it != nil; it = r.next(ctx) {
		answers := r.answers
		err := r.relink(ctx)
		if err != nil {
			r.queue = append(r.queue, it)
		} else {
			err = r.converse(ctx, work, it)
		}
		if r.answers > answers {
			r.failures = 0
		}
		switch {
		case err == nil:
			if r.link.isLeaving() {
				r.unlink()
			}
		case ctx.Err() != nil:
			return
		case !passing(err):
			stop(describe(err))
		case r.failures >= r.reconnects:
			stop(fmt.Errorf("given up after %d connections without an answer: %w", r.failures, describe(err)))
		default:
			r.unlink()
			wait := min(firstReconnect<<min(r.failures, 10), lastReconnect)
			r.failures++
			r.report.say(fmt.Sprintf("%v; asking again", describe(err)))
			sleep(ctx, wait+rand.N(wait))
		}
	}
}

// relink makes sure of a connection, and that it leads to the ledger that the
// job is in.
func (r *bulkRun) relink(ctx context.Context) error {
	if r.link != nil {
		return nil
	}
	link, err := openBulkLink(ctx, r.flags)
	if err != nil {
		return err
	}
	if err := r.job.of(link.ledger); err != nil {
		link.close()
		return err
	}
	r.link = link
	return nil
}

func (r *bulkRun) unlink() {
	if r.link != nil {
		r.link.close()
		r.link = nil
	}
}

// next waits for something to send. It returns nil when there is nothing left,
// and when the context has ended.
func (r *bulkRun) next(ctx context.Context) *bulkItem {
	for ctx.Err() == nil {
		r.wake()
		if len(r.queue) > 0 {
			return r.dequeue()
		}
		if r.rows == nil && len(r.later) == 0 {
			return nil
		}
		select {
		case row, ok := <-r.source():
			if it := r.take(row, ok); it != nil {
				return it
			}
		case <-r.nextDue():
		case <-ctx.Done():
		}
	}
	return nil
}

func (r *bulkRun) dequeue() *bulkItem {
	it := r.queue[0]
	r.queue = r.queue[1:]
	return it
}

// source is where rows come from, while there is room for them.
func (r *bulkRun) source() <-chan *bulkRow {
	if len(r.pending) >= r.window {
		return nil
	}
	return r.rows
}

// take makes an item of a row that was read, nil of one that cannot be sent.
func (r *bulkRun) take(row *bulkRow, ok bool) *bulkItem {
	if !ok {
		r.rows = nil
		return nil
	}
	if err := row.resolve(r.contract); err != nil {
		r.report.result(invalidRow(row, err))
		return nil
	}
	it := &bulkItem{row: row}
	r.pending[row.copy.GetRequestId()] = it
	r.report.inFlight(len(r.pending))
	return it
}

// wake moves to the queue what is due.
func (r *bulkRun) wake() {
	now := time.Now()
	r.later = slices.DeleteFunc(r.later, func(it *bulkItem) bool {
		if it.due.After(now) {
			return false
		}
		r.queue = append(r.queue, it)
		return true
	})
}

// nextDue tells when the first of those to send later is due.
func (r *bulkRun) nextDue() <-chan time.Time {
	if len(r.later) == 0 {
		return nil
	}
	first := slices.MinFunc(r.later, func(a, b *bulkItem) int { return a.due.Compare(b.due) })
	return time.After(time.Until(first.due))
}

// failed deals with a copy that was answered with an error: it is asked for
// again, or that is its result.
func (r *bulkRun) failed(it *bulkItem, e *apierror.Error) {
	it.last = e
	if e.Outcome != exchange.Unknown {
		it.sent = time.Time{}
	}
	it.tries++
	if it.tries < maxTries && invites(e) {
		wait := min(firstWait<<it.tries, lastWait)
		if e.RetryAfter != nil {
			wait = min(max(wait, *e.RetryAfter), lastWait)
		}
		it.due = time.Now().Add(wait + rand.N(wait/4))
		r.later = append(r.later, it)
		return
	}
	r.settle(it, func(result *bulkResult) { result.failed(e) })
}

// invites says whether a copy may have another answer if it is asked for again
// with the same request id, which never makes a second one.
func invites(e *apierror.Error) bool {
	switch e.Code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return e.Outcome == exchange.NotSent || e.Outcome == exchange.Unknown || e.RetryAfter != nil
	}
	return e.RetryAfter != nil && e.Outcome != exchange.Unknown
}

// settle reports an item, which is then forgotten.
func (r *bulkRun) settle(it *bulkItem, fill func(*bulkResult)) {
	id := it.row.copy.GetRequestId()
	result := bulkResult{Line: it.row.line, RequestID: id}
	fill(&result)
	delete(r.pending, id)
	r.report.inFlight(len(r.pending))
	r.report.result(result)
}

// abandon reports what has no result yet, and with rest what was not begun.
func (r *bulkRun) abandon(why error, rest bool) {
	for _, it := range byLine(maps.Values(r.pending)) {
		r.settle(it, func(result *bulkResult) {
			switch {
			case it.last != nil && it.sent.IsZero():
				result.failed(it.last)
			case it.sent.IsZero():
				*result = notBegun(it.row, why)
			default:
				result.Outcome, result.Code, result.Reason = rowUnknown, "UNKNOWN", reasonNoAnswer
				result.Message = fmt.Sprintf("it was sent, and no answer came: %v; another run asks again", why)
			}
		})
	}
	if !rest || r.rows == nil {
		return
	}
	defer func() { r.rows = nil }()
	for row := range r.rows {
		if row.err != nil {
			r.report.result(invalidRow(row, row.err))
			continue
		}
		r.report.result(notBegun(row, why))
	}
}

func invalidRow(row *bulkRow, err error) bulkResult {
	return bulkResult{Line: row.line, RequestID: row.copy.GetRequestId(), Outcome: rowNotSent,
		Code: "INVALID_ARGUMENT", Reason: reasonInvalidRow, Message: err.Error()}
}

func notBegun(row *bulkRow, why error) bulkResult {
	return bulkResult{Line: row.line, RequestID: row.copy.GetRequestId(), Outcome: rowNotSent,
		Code: "CANCELLED", Reason: reasonNotBegun, Message: fmt.Sprintf("not begun: %v", why)}
}

func byLine(items func(func(*bulkItem) bool)) []*bulkItem {
	return slices.SortedFunc(items, func(a, b *bulkItem) int { return cmp.Compare(a.row.line, b.row.line) })
}

// passing says whether an error of a connection or stream may be gone the next
// time.
func passing(err error) bool {
	if errors.As(err, new(*unreachableError)) || errors.Is(err, errNoAnswer) {
		return true
	}
	st, ok := status.FromError(err)
	if !ok {
		return false
	}
	switch st.Code() {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Unknown, codes.Internal, codes.Aborted, codes.ResourceExhausted:
		return true
	}
	return false
}

func isStatus(err error) bool {
	_, ok := status.FromError(err)
	return ok
}

// describe is an error without what only gRPC has to say of it.
func describe(err error) error {
	if st, ok := status.FromError(err); ok {
		return fmt.Errorf("%s: %s", st.Code(), printable(st.Message()))
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
