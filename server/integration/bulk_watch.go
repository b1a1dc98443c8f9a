package integration

import (
	"time"

	"github.com/digate/digate/server/apierror"
)

// watch returns how the stream ended: when run returns, when nothing moves for the stall
// timeout, or when the server stops and every copy that was begun has its result. In the
// last two cases run may still be blocked in a read, which ends with the call.
func (b *bulkRun) watch(ended <-chan error) error {
	timer := time.NewTimer(b.cfg.StallTimeout)
	defer timer.Stop()
	draining := b.service.draining
	var idle <-chan struct{}
	for {
		select {
		case err := <-ended:
			return err
		case <-draining:
			draining, idle = nil, b.items.close()
		case <-idle:
			idle = nil
			if b.closeSending() {
				return apierror.Draining()
			}
		case <-timer.C:
			if left := b.cfg.StallTimeout - b.still(); left > 0 {
				timer.Reset(left)
				continue
			}
			if b.items.some() && !b.blocked() {
				timer.Reset(b.cfg.StallTimeout) // a copy is in progress, and has its own timeout
				continue
			}
			return apierror.Stalled(b.cfg.StallTimeout)
		}
	}
}

// blocked reports whether a result waits for the client to read.
func (b *bulkRun) blocked() bool {
	if b.mu.TryLock() {
		b.mu.Unlock()
		return false
	}
	return true
}

// closeSending prevents further sends. It returns false if the summary was sent or is
// being sent.
func (b *bulkRun) closeSending() bool {
	if !b.mu.TryLock() {
		return false
	}
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.closed = true
	return true
}

// move records that the stream moved. It wakes nobody: an item moves the stream several
// times, and watch checks only when its timer fires.
func (b *bulkRun) move() { b.moved.Store(int64(time.Since(b.opened))) }

// still returns for how long nothing has moved.
func (b *bulkRun) still() time.Duration {
	return time.Since(b.opened) - time.Duration(b.moved.Load())
}
