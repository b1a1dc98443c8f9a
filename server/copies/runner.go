package copies

import (
	"context"
	"errors"
	"sync"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// ErrDetached is the error of a call whose result goes to [Runner.OnDetached], because its caller
// detached.
var ErrDetached = errors.New("copies: the caller has left")

// Runner lets a caller run a copy on the caller's own goroutine and stop waiting for it
// from another one.
type Runner struct {
	// OnDetached is called with the caller's result if the copy continues after
	// [Runner.Detach].
	OnDetached func(error)

	mu        sync.Mutex
	flight    *flight // nil until this caller runs one
	cause     error   // why the caller has stopped waiting
	hasResult bool    // the caller has its result, or is about to get it
}

// RunCopyTemplate is [Coordinator.CopyTemplate] for a goroutine that can wait: it runs
// the copy on the calling goroutine, which saves a goroutine and a timer. When ctx ends,
// another goroutine must call [Runner.Detach]. If the copy was sent by then, it
// continues: OnDetached gets the caller's result, and RunCopyTemplate returns [ErrDetached] when
// the copy has ended.
func (c *Coordinator) RunCopyTemplate(
	ctx context.Context, req *integrationv1.CopyTemplateRequest, before Before, by *Runner,
) (_ *integrationv1.Integration, replayed bool, _ error) {
	f, mine, err := c.flightOf(ctx, copyTemplate{req, before}, by)
	switch {
	case !by.claimResult():
		return nil, false, ErrDetached
	case err != nil:
		return nil, false, err
	default:
		return resultOf[*integrationv1.Integration](ctx, f, mine)
	}
}

// Detach stops the caller's wait because its context ended with the cause. It returns when
// the copy was sent or has ended. It may be called once, at any time.
func (by *Runner) Detach(cause error) {
	by.mu.Lock()
	by.cause = cause
	f := by.flight
	by.mu.Unlock()
	if f != nil {
		by.detach(f, cause)
	}
}

// detach gives the caller its result, unless the flight ends without being sent.
func (by *Runner) detach(f *flight, cause error) {
	w := waiting{cause: cause}
	if err := w.await(f, true); err != nil && by.claimResult() {
		by.OnDetached(err)
	}
}

// claimResult reports whether the caller has no result yet, and marks it as having one.
func (by *Runner) claimResult() bool {
	by.mu.Lock()
	defer by.mu.Unlock()
	first := !by.hasResult
	by.hasResult = true
	return first
}

// run runs the flight until its result is there.
func (by *Runner) run(ctx context.Context, c *Coordinator, f *flight, record string) {
	by.mu.Lock()
	by.flight = f
	cause := by.cause
	by.mu.Unlock()
	if cause != nil {
		go by.detach(f, cause)
	}
	c.do(ctx, &f.attempt, record)
}
