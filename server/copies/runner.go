package copies

import (
	"context"
	"errors"
	"sync"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// ErrLeft is the error of a call whose caller left before its end, and has the verdict of
// that time.
var ErrLeft = errors.New("copies: the caller has left")

// Carrier is a caller that carries a call on its own goroutine.
type Carrier struct {
	// Left gets the verdict on a call that goes on after [Carrier.Leave].
	Left func(error)

	mu     sync.Mutex
	flight *flight // nil until the caller carries one
	over   error   // why the caller waits no longer
	told   bool    // the caller has its verdict, or is about to get it
}

// CarryCopyTemplate is CopyTemplate for a goroutine that can wait: it carries the call
// itself, which takes no other goroutine and no timer. When ctx ends, somebody has to
// call [Carrier.Leave]. A call that was sent goes on then: Left gets the verdict, and
// CarryCopyTemplate returns [ErrLeft] when the call has ended.
func (c *Coordinator) CarryCopyTemplate(
	ctx context.Context, req *integrationv1.CopyTemplateRequest, before Before, by *Carrier,
) (_ *integrationv1.Integration, replayed bool, _ error) {
	f, mine, err := c.flightOf(ctx, copyTemplate{req, before}, by)
	switch {
	case !by.tell():
		return nil, false, ErrLeft
	case err != nil:
		return nil, false, err
	default:
		return resultOf[*integrationv1.Integration](ctx, f, mine)
	}
}

// Leave ends the wait of a caller whose context has ended for that cause. It returns when
// the call was sent or has ended. It may be called once, at any time.
func (by *Carrier) Leave(cause error) {
	by.mu.Lock()
	by.over = cause
	f := by.flight
	by.mu.Unlock()
	if f != nil {
		by.leave(f, cause)
	}
}

// leave gives the caller its verdict, unless the flight is done before it is sent.
func (by *Carrier) leave(f *flight, cause error) {
	w := waiting{over: cause}
	if err := w.await(f, true); err != nil && by.tell() {
		by.Left(err)
	}
}

// tell reports whether the caller has no verdict yet. It gets one now.
func (by *Carrier) tell() bool {
	by.mu.Lock()
	defer by.mu.Unlock()
	first := !by.told
	by.told = true
	return first
}

// carry carries the flight until it is done.
func (by *Carrier) carry(ctx context.Context, c *Coordinator, f *flight, record string) {
	by.mu.Lock()
	by.flight = f
	over := by.over
	by.mu.Unlock()
	if over != nil {
		go by.leave(f, over)
	}
	c.do(ctx, &f.attempt, record)
}
