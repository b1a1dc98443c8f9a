package copies

import (
	"context"
	"sync"
	"time"

	"github.com/digate/digate/server/apierror"
)

// beforeDeadline returns a time a little before the deadline, at which a caller gets an
// error with an outcome instead of its own timeout.
func beforeDeadline(deadline time.Time) time.Time {
	return deadline.Add(-min(time.Until(deadline)/20, 50*time.Millisecond))
}

// waiting is a caller's wait for flights. It ends with the caller's context or with the
// timer.
type waiting struct {
	ctx   context.Context
	timer *time.Timer // may be nil
	cause error       // why the wait ended
}

// setTimer makes the wait end a little before the caller's deadline, if it has one.
func (w *waiting) setTimer(timers *sync.Pool) {
	deadline, ok := w.ctx.Deadline()
	if !ok {
		return
	}
	late := time.Until(beforeDeadline(deadline))
	if w.timer, ok = timers.Get().(*time.Timer); ok {
		w.timer.Reset(late)
	} else {
		w.timer = time.NewTimer(late)
	}
}

// end releases the timer.
func (w *waiting) end(timers *sync.Pool) {
	if w.timer != nil {
		w.timer.Stop() // after Stop, the channel is empty
		timers.Put(w.timer)
	}
}

// await returns when the flight is done or the wait ends. If the caller began the flight,
// await also waits until the request was sent: a flight that is not sent ends at that
// time by itself, with an outcome.
func (w *waiting) await(f *flight, mine bool) error {
	if w.cause == nil {
		var late <-chan time.Time
		if w.timer != nil {
			late = w.timer.C
		}
		select {
		case <-f.done:
			return nil
		case <-late:
			w.cause = context.DeadlineExceeded
		case <-w.ctx.Done():
			w.cause = w.ctx.Err()
		}
	}
	if mine {
		select {
		case <-f.done:
			return nil
		case <-f.sent:
		}
	}
	select {
	case <-f.done: // if both are ready, the flight's result counts
		return nil
	default:
		return apierror.StillUnderWay(w.cause)
	}
}
