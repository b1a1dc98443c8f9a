package emulator

import (
	"fmt"
	"sync"
	"time"
)

// clock is the emulator's time: that of its base clock, until it is moved or stopped.
type clock struct {
	base func() time.Time

	mu      sync.Mutex
	ahead   time.Duration // of the base clock, while this one runs
	stopped *time.Time    // the time at which the clock was stopped; nil while it runs
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

// frozen reports whether the clock is stopped.
func (c *clock) frozen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped != nil
}

// clockRange is how far the clock may be from its base, in years.
const clockRange = 290

// move sets the clock to the result of change. freeze says whether the clock is then
// stopped; nil leaves it running or stopped as before. If the time is too far from that of
// the base clock, move returns an error and changes nothing.
func (c *clock) move(change func(time.Time) time.Time, freeze *bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	to, base := change(c.read()), c.base().UTC()
	if first, last := base.AddDate(-clockRange, 0, 0), base.AddDate(clockRange, 0, 0); to.Before(first) || to.After(last) {
		return fmt.Errorf("the clock can be at most %d years from the real time: from %s to %s", clockRange, first.Format(time.DateOnly), last.Format(time.DateOnly))
	}
	still := c.stopped != nil
	if freeze != nil {
		still = *freeze
	}
	if still {
		c.stopped = &to
		return nil
	}
	c.stopped, c.ahead = nil, to.Sub(base)
	return nil
}

// reset makes the clock show the time of its base again.
func (c *clock) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped, c.ahead = nil, 0
}
