package admission

import (
	"context"
	"math"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/tracing"
)

// tickEvery is how often the lines are checked while lanes wait only for time to pass.
const tickEvery = 20 * time.Millisecond

// line is a limited resource, counted in exchanges, and the queue for it.
type line struct {
	used int
	// turn has the waiting lanes in the order of their turns. parked has the lanes whose
	// account has reached its limit, until it may have more.
	turn, parked list[lane]
	drain        drain
}

// lane is an account's part of a line.
type lane struct {
	account *account
	used    int
	callers callers
	link    link[lane] // in line.turn or line.parked
}

// busy reports whether the account has or waits for a part of the line.
func (l *lane) busy() bool { return l.used > 0 || l.waiting() }

func (l *lane) waiting() bool { return l.callers.turn.n > 0 }

// waiter is one waiting exchange.
type waiter struct {
	ready chan struct{} // closed when the exchange is served or refused
	done  bool
	sent  sending
	err   error

	of       *flow
	recorded bool
	size     int64
	deadline time.Time    // when it must be served; zero for none
	link     link[waiter] // in flow.first or flow.rest
}

// tooLate reports whether the waiter's deadline is before then.
func (w *waiter) tooLate(then time.Time) bool { return !w.deadline.IsZero() && w.deadline.Before(then) }

// free reports whether an exchange of the account may begin at once without overtaking
// another.
func (a *Admission) free(which int, of *account) bool {
	l := &a.lines[which]
	return l.turn.n == 0 && !of.lanes[which].waiting() && l.used < a.limit.current() && of.mayTake(which)
}

// take gives the account one unit of a line.
func (a *Admission) take(which int, of *account) sending {
	l, lane := &a.lines[which], &of.lanes[which]
	l.used++
	lane.used++
	return sending{held: true, flight: lane.used, flightAll: l.used, window: of.limit.window, windowAll: a.limit.window}
}

// release returns the unit, and serves waiting exchanges.
func (a *Admission) release(which int, of *account) {
	l, lane := &a.lines[which], &of.lanes[which]
	l.used--
	lane.used--
	l.unpark(lane, which)
	a.serve(which)
}

// unpark puts a parked lane back into the turns if its account may have more.
func (l *line) unpark(lane *lane, which int) {
	if lane.link.list == &l.parked && lane.account.mayTake(which) {
		lane.link.remove()
		l.turn.push(lane, &lane.link)
	}
}

// wait queues a ticket's exchange in a line until it is served, refused, its context
// ends, or it has waited for the time most. A recorded exchange is refused only if its
// context ends or its account is paused. The lock must be held, and is released during
// the wait.
func (a *Admission) wait(ctx context.Context, t *Ticket, which int, size int64, most time.Duration, recorded bool) (sending, error) {
	of := t.account
	lane := &of.lanes[which]
	f := lane.callers.find(t.caller)
	w := &waiter{ready: make(chan struct{}), of: f, recorded: recorded, size: size}
	if err := a.join(w, lane, which, min(TimeLeft(ctx), most)); err != nil {
		return sending{}, err
	}
	a.serve(which)
	var late <-chan time.Time
	if most < TimeLeft(ctx) {
		timer := time.NewTimer(most)
		defer timer.Stop()
		late = timer.C
	}
	a.mu.Unlock()
	span := traceWait(ctx, which)
	select {
	case <-w.ready:
	case <-ctx.Done():
	case <-late:
	}
	span.End()
	a.mu.Lock()
	switch {
	case w.err != nil:
		return sending{}, w.err
	case w.done && ctx.Err() == nil:
		return w.sent, nil
	case w.done:
		a.release(which, of)
	default:
		a.leave(lane, w)
	}
	if ctx.Err() == nil {
		a.refused[byDeadline]++
		return sending{}, apierror.Overloaded(of.paused() + f.drain.wait(f.rest.n+1, time.Now()))
	}
	return sending{}, apierror.NotBegun(ctx.Err())
}

// join puts a waiter into its lane. It returns an error if the waiter cannot be served
// within the given time.
func (a *Admission) join(w *waiter, lane *lane, which int, within time.Duration) error {
	l, f := &a.lines[which], w.of
	if within < math.MaxInt64 {
		w.deadline = time.Now().Add(within)
	}
	if w.recorded {
		f.first.push(w, &w.link)
	} else {
		if err := a.refusal(within, which, lane, f, w.size); err != nil {
			return err
		}
		if f.rest.n == 0 {
			f.drain = drain{since: time.Now()}
		}
		if l.turn.n == 0 && l.parked.n == 0 {
			l.drain = drain{since: time.Now()}
		}
		f.rest.push(w, &w.link)
		lane.callers.count(f, 1, w.size)
		a.queued++
		a.bytes += w.size
	}
	lane.callers.enter(f)
	if !lane.link.in() {
		l.turn.push(lane, &lane.link)
	}
	l.unpark(lane, which)
	return nil
}

// traceWait starts the span of a wait.
func traceWait(ctx context.Context, which int) trace.Span {
	_, span := tracing.Start(ctx, "admission wait", trace.SpanKindInternal)
	if span.IsRecording() {
		span.SetAttributes(tracing.Waited.String([...]string{slots: "slot", sends: "send"}[which]))
	}
	return span
}

// leave removes a waiter from its lane.
func (a *Admission) leave(lane *lane, w *waiter) {
	w.link.remove()
	if !w.recorded {
		lane.callers.count(w.of, -1, -w.size)
		a.queued--
		a.bytes -= w.size
	}
	if !w.of.waiting() {
		lane.callers.leave(w.of)
	}
	if !lane.waiting() {
		lane.link.remove()
	}
}

// serve serves waiting exchanges in turn, as far as the limits permit.
func (a *Admission) serve(which int) {
	l := &a.lines[which]
	if l.turn.n == 0 {
		a.arm()
		return
	}
	now := time.Now()
	for lane := l.turn.head(); lane != nil && l.used < a.limit.current(); lane = l.turn.head() {
		lane.link.remove()
		if !lane.account.mayTake(which) {
			l.parked.push(lane, &lane.link)
			continue
		}
		l.turn.push(lane, &lane.link) // at the end
		w := lane.callers.next()
		if !w.recorded {
			w.of.drain.served(now)
			l.drain.served(now)
		}
		a.leave(lane, w)
		w.sent, w.done = a.take(which, lane.account), true
		close(w.ready)
	}
	a.arm()
}

// arm starts the timer that checks the lines again if exchanges wait only for time to
// pass: for a limit that grows, or a pause that ends.
func (a *Admission) arm() {
	if a.ticking {
		return
	}
	lowered := a.limit.lowered()
	for i := range a.lines {
		if l := &a.lines[i]; l.parked.n > 0 || l.turn.n > 0 && lowered {
			a.ticking = true
			break
		}
	}
	if !a.ticking {
		return
	}
	if a.tick == nil {
		a.tick = time.AfterFunc(tickEvery, a.look)
	} else {
		a.tick.Reset(tickEvery)
	}
}

// look serves the exchanges that had to wait only for time to pass.
func (a *Admission) look() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ticking = false
	for which := range a.lines {
		l := &a.lines[which]
		for lane := range l.parked.all() {
			l.unpark(lane, which)
		}
		a.serve(which)
	}
}
