package copies

import (
	"context"
	"time"
)

// detached is a caller's context without its cancellation and deadline. It ends when the
// coordinator is closed.
type detached struct{ caller, closed context.Context }

// Deadline implements [context.Context].
func (d *detached) Deadline() (time.Time, bool) { return d.closed.Deadline() }

// Done implements [context.Context].
func (d *detached) Done() <-chan struct{} { return d.closed.Done() }

// Err implements [context.Context].
func (d *detached) Err() error { return d.closed.Err() }

// Value implements [context.Context]. It asks closed first: closed has no values, but
// package context looks in it for the parent that cancels.
func (d *detached) Value(key any) any {
	if v := d.closed.Value(key); v != nil {
		return v
	}
	return d.caller.Value(key)
}
