package copies

import (
	"context"
	"sync"
	"time"

	"github.com/digate/digate/server/apierror"
)

// beforeDeadline returns the time at which a caller with the deadline gets a verdict
// instead of its own deadline: a little earlier.
func beforeDeadline(deadline time.Time) time.Time {
	return deadline.Add(-min(time.Until(deadline)/20, 50*time.Millisecond))
}

// waiting is a caller that waits for its flights, until the end of its context or of the
// timer.
type waiting struct {
	ctx  context.Context
	late *time.Timer // may be nil
	over error       // why the wait is over
}

// setLate has the wait end a little before the caller's deadline, if there is one.
func (w *waiting) setLate(timers *sync.Pool) {
	deadline, ok := w.ctx.Deadline()
	if !ok {
		return
	}
	late := time.Until(beforeDeadline(deadline))
	if w.late, ok = timers.Get().(*time.Timer); ok {
		w.late.Reset(late)
	} else {
		w.late = time.NewTimer(late)
	}
}

// end gives back what the waiting holds.
func (w *waiting) end(timers *sync.Pool) {
	if w.late != nil {
		w.late.Stop() // and from then on its channel has nothing
		timers.Put(w.late)
	}
}

// await returns when the flight is done or the wait is over. The caller that owns the
// flight waits on while nothing was sent: such a flight ends by itself at that time,
// with a verdict.
func (w *waiting) await(f *flight, mine bool) error {
	if w.over == nil {
		var late <-chan time.Time
		if w.late != nil {
			late = w.late.C
		}
		select {
		case <-f.done:
			return nil
		case <-late:
			w.over = context.DeadlineExceeded
		case <-w.ctx.Done():
			w.over = w.ctx.Err()
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
	case <-f.done: // both at once: the verdict counts
		return nil
	default:
		return apierror.StillUnderWay(w.over)
	}
}
