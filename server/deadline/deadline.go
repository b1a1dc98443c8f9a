// Package deadline provides a context with a deadline that uses no timer until somebody
// waits for its end. Most work with a time limit ends long before it, and much code only
// checks whether a context has ended.
package deadline

import (
	"context"
	"sync"
	"time"
)

// Context is a context with a deadline, like that of [context.WithDeadline]. Set must be
// called first. A Context can be a field of another struct, and must not be copied.
type Context struct {
	parent   context.Context
	deadline time.Time
	parents  bool // the deadline is the parent's

	mu sync.Mutex
	// timed is nil until somebody waits for the end.
	timed  context.Context
	cancel context.CancelFunc
	err    error // why c has ended, if that was checked before timed was set
}

// Set makes c a child of the parent with the deadline. It may be called once. Call
// [Context.End] at the end of the work.
func (c *Context) Set(parent context.Context, deadline time.Time) {
	c.parent, c.deadline = parent, deadline
	if d, ok := parent.Deadline(); ok && !d.After(deadline) {
		c.deadline, c.parents = d, true
	}
}

// End ends the context, unless it has ended before, and releases its resources. It may be
// called without Set.
func (c *Context) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.parent == nil:
	case c.timed != nil:
		c.cancel()
	case c.untimed(time.Now()) == nil:
		c.err = context.Canceled
	}
}

// Deadline implements [context.Context].
func (c *Context) Deadline() (time.Time, bool) { return c.deadline, true }

// Done implements [context.Context].
func (c *Context) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		if c.untimed(time.Now()) != nil {
			return over
		}
		if c.parents {
			c.timed, c.cancel = context.WithCancel(c.parent)
		} else {
			c.timed, c.cancel = context.WithDeadline(c.parent, c.deadline)
		}
	}
	return c.timed.Done()
}

// over is a closed channel.
var over = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Err implements [context.Context].
func (c *Context) Err() error { return c.errAt(time.Now()) }

// errAt is Err at a known time.
func (c *Context) errAt(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed != nil {
		return c.timed.Err()
	}
	return c.untimed(now)
}

// untimed returns why c has ended, if nobody has waited for its end. The caller must hold
// mu.
func (c *Context) untimed(now time.Time) error {
	if c.err != nil {
		return c.err
	}
	if parent, ok := c.parent.(*Context); ok {
		c.err = parent.errAt(now)
	} else {
		c.err = c.parent.Err()
	}
	if c.err == nil && !c.parents && !now.Before(c.deadline) {
		c.err = context.DeadlineExceeded
	}
	return c.err
}

// Value implements [context.Context]. Once there is a timer, a child of c finds the
// timer's context through it, and needs no goroutine to wait for the end.
func (c *Context) Value(key any) any {
	c.mu.Lock()
	of := c.parent
	if c.timed != nil {
		of = c.timed
	}
	c.mu.Unlock()
	return of.Value(key)
}
