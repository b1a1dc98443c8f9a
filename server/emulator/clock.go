package emulator

import (
	"sync"
	"time"
)

// clock is the emulator's time: that of its base, until somebody moves or stops it.
type clock struct {
	base func() time.Time

	mu      sync.Mutex
	ahead   time.Duration // of the base, while the clock runs
	stopped *time.Time    // the time at which the clock stands still; nil while it runs
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read()
}

// read returns the time. The caller holds mu.
func (c *clock) read() time.Time {
	if c.stopped != nil {
		return *c.stopped
	}
	return c.base().Add(c.ahead)
}

// frozen reports whether the clock stands still.
func (c *clock) frozen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped != nil
}

// move returns the clock's time after change. A nil freeze leaves the clock as it is, running or not.
func (c *clock) move(change func(time.Time) time.Time, freeze *bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to := change(c.read())
	still := c.stopped != nil
	if freeze != nil {
		still = *freeze
	}
	if still {
		c.stopped = &to
		return
	}
	c.stopped, c.ahead = nil, to.Sub(c.base())
}

// reset lets the clock show the time of its base again.
func (c *clock) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped, c.ahead = nil, 0
}
