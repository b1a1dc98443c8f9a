package integration

import (
	"context"
	"sync"
	"time"
)

// copiesUnderWay are the copies in progress of a stream. Each is detached when its time
// is over or the stream has ended. All copies have the same time, so one timer is enough:
// it fires when the time of the oldest copy is over.
type copiesUnderWay struct {
	mu    sync.Mutex
	all   map[*bulkCopy]struct{}
	timer *time.Timer // nil before the first copy
	timed bool        // the timer is running
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

// remove removes a copy.
func (u *copiesUnderWay) remove(c *bulkCopy) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.all, c)
}

// setTimer sets the timer. The caller must hold mu.
func (u *copiesUnderWay) setTimer(after time.Duration) {
	u.timed = true
	if u.timer == nil {
		u.timer = time.AfterFunc(after, u.leavePassed)
		return
	}
	u.timer.Reset(after)
}

// leavePassed detaches the copies whose time is over, and sets the timer for the next.
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

// leaveAll detaches all copies, because their stream has ended with the cause.
func (u *copiesUnderWay) leaveAll(cause error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.all {
		u.leave(c, cause)
	}
	u.timed = true // prevents another start
	if u.timer != nil {
		u.timer.Stop()
	}
}

// leave detaches a copy. It is called once for each copy, and the caller must hold mu.
func (u *copiesUnderWay) leave(c *bulkCopy, cause error) {
	delete(u.all, c)
	go c.carrier.Detach(cause)
}
