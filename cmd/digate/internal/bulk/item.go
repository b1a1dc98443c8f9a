package bulk

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

const (
	// maxTries bounds how often a copy is sent. It is sent again only after a
	// response that invites it.
	maxTries = 5
	// firstWait and lastWait bound the wait before a copy is sent again.
	firstWait = 500 * time.Millisecond
	lastWait  = 30 * time.Second
)

// item is a row without a result yet.
type item struct {
	row *row
	// earlier is the promise under which an earlier run may have sent the row, or
	// nil.
	earlier *promise
	// sends is how often this run sent the row.
	sends int
	// onStream says that the present stream owes a response.
	onStream bool
	// sent is when the copy was first sent. A response that nothing was done
	// resets it.
	sent  time.Time
	tries int
	due   time.Time       // when to send it again
	last  *apierror.Error // latest response
}

// next waits for an item to send. It returns nil when there are no more, and when
// ctx has ended.
func (r *runner) next(ctx context.Context) *item {
	for ctx.Err() == nil {
		r.wake()
		if len(r.queue) > 0 {
			return r.dequeue()
		}
		if r.rows == nil && len(r.later) == 0 {
			return nil
		}
		select {
		case next, ok := <-r.source():
			if it := r.take(next, ok); it != nil {
				return it
			}
		case <-r.nextDue():
		case <-ctx.Done():
		}
	}
	return nil
}

func (r *runner) dequeue() *item {
	it := r.queue[0]
	r.queue = r.queue[1:]
	return it
}

// source returns the channel of rows, or nil while too many are pending.
func (r *runner) source() <-chan *row {
	if len(r.pending) >= r.window {
		return nil
	}
	return r.rows
}

// take makes an item of a row. It returns nil for a row that cannot be sent, and
// after the last row.
func (r *runner) take(next *row, ok bool) *item {
	if !ok {
		r.rows = nil
		return nil
	}
	if res := r.known(next); res != nil {
		r.report.result(*res)
		return nil
	}
	if err := next.resolve(r.contract); err != nil {
		r.refuse(next, invalidRow(next, err))
		return nil
	}
	it := &item{row: next, earlier: r.earlier(next)}
	r.pending[next.copy.GetRequestId()] = it
	r.report.underWay(len(r.pending))
	return it
}

// wake moves items that are due to the queue.
func (r *runner) wake() {
	now := r.now()
	r.later = slices.DeleteFunc(r.later, func(it *item) bool {
		if it.due.After(now) {
			return false
		}
		r.queue = append(r.queue, it)
		return true
	})
}

// nextDue returns a channel that fires when the first later item is due.
func (r *runner) nextDue() <-chan time.Time {
	if len(r.later) == 0 {
		return nil
	}
	first := slices.MinFunc(r.later, func(a, b *item) int { return a.due.Compare(b.due) })
	return time.After(first.due.Sub(r.now()))
}

// mayBeForgotten reports whether the ledger may have forgotten an item that may
// have been done. To send it could create a second copy.
func (r *runner) mayBeForgotten(it *item, now time.Time) bool {
	return it.earlier != nil && it.earlier.expired(now) ||
		!it.sent.IsZero() && now.Sub(it.sent) >= r.promise.retention()-r.promise.margin()
}

// failed takes an error response: the item is sent again later, or the error is
// its result.
func (r *runner) failed(ctx context.Context, it *item, e *apierror.Error) {
	if isReused(e) {
		r.foundReused(ctx, it)
		return
	}
	it.last = e
	if e.Outcome != exchange.Unknown {
		it.sent = time.Time{}
	}
	it.tries++
	if it.tries < maxTries && invitesRetry(e) {
		wait := min(firstWait<<it.tries, lastWait)
		if e.RetryAfter != nil {
			wait = min(max(wait, *e.RetryAfter), lastWait)
		}
		it.due = r.now().Add(wait + rand.N(wait/4))
		r.later = append(r.later, it)
		return
	}
	r.settle(it, func(res *rowResult) { res.failed(e) })
}

// invitesRetry reports whether a copy may get another response if it is sent again
// with the same request id. That never makes a second copy.
func invitesRetry(e *apierror.Error) bool {
	switch e.Code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return e.Outcome == exchange.NotSent || e.Outcome == exchange.Unknown || e.RetryAfter != nil
	}
	return e.RetryAfter != nil && e.Outcome != exchange.Unknown
}

// settle reports an item and forgets it.
func (r *runner) settle(it *item, fill func(*rowResult)) {
	res := resultOf(it.row)
	fill(&res)
	delete(r.pending, res.RequestID)
	r.report.underWay(len(r.pending))
	r.record(res, sends(it.sends, it.earlier))
	r.report.result(res)
}
