package integration

import (
	"context"
	"sync"
	"time"
)

// copiesUnderWay are the copies of a stream that are being made. Each is left when its
// time has passed or the stream has ended. All have the same time, so one timer is enough:
// it ends with the time of the copy that began first of those that there were when it was
// set.
type copiesUnderWay struct {
	mu    sync.Mutex
	all   map[*bulkCopy]struct{}
	timer *time.Timer // nil before the first copy
	timed bool        // the timer runs
}

// add adds a copy that begins now.
func (u *copiesUnderWay) add(c *bulkCopy) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all[c] = struct{}{}
	if !u.timed {
		u.setTimer(time.Until(c.ends))
	}
}

// remove takes away a copy that was added.
func (u *copiesUnderWay) remove(c *bulkCopy) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.all, c)
}

// setTimer is called with mu held.
func (u *copiesUnderWay) setTimer(after time.Duration) {
	u.timed = true
	if u.timer == nil {
		u.timer = time.AfterFunc(after, u.leavePassed)
		return
	}
	u.timer.Reset(after)
}

// leavePassed leaves the copies whose time has passed, and sets the timer for the next.
func (u *copiesUnderWay) leavePassed() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.timed = false
	var next time.Time
	for c := range u.all {
		switch ends := c.ends; {
		case !time.Now().Before(ends):
			u.leave(c, context.DeadlineExceeded)
		case next.IsZero() || ends.Before(next):
			next = ends
		}
	}
	if !next.IsZero() {
		u.setTimer(time.Until(next))
	}
}

// leaveAll leaves all copies, whose stream has ended for that cause.
func (u *copiesUnderWay) leaveAll(cause error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.all {
		u.leave(c, cause)
	}
	u.timed = true // which keeps it from being set again
	if u.timer != nil {
		u.timer.Stop()
	}
}

// leave is called with mu held, once for a copy.
func (u *copiesUnderWay) leave(c *bulkCopy, cause error) {
	delete(u.all, c)
	go c.carrier.Detach(cause)
}
