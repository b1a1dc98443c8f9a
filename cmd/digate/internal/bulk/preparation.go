package bulk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
)

// quietFor is how long a preparation lasts before a terminal shows it.
const quietFor = time.Second

// prepare shows what is done before anything is sent, and for how long it has lasted,
// until stop is called. Of a preparation within another, only the inner one is shown.
func (p *progress) prepare(what func() string) (stop func()) {
	begun := time.Now()
	p.mu.Lock()
	p.preparing++
	own := p.preparing
	p.mu.Unlock()
	end := p.repeat(func(now time.Time) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if lasts := now.Sub(begun); p.preparing == own && lasts >= quietFor {
			p.paint(what() + ", " + longTime(lasts))
		}
	})
	return func() {
		end()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.preparing--
	}
}

// beforeSending runs a step of what is done before anything is sent, which counts
// towards the time limit. Its error says so if the limit or an interrupt ended it.
func (c *Command) beforeSending(ctx context.Context, begun time.Time, step func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if c.Timeout > 0 { // no deadline: the server must not end a call before ctx does
		defer time.AfterFunc(c.left(begun), func() { stop(errTimedOut) }).Stop()
	}
	err := step(ctx)
	var unreachable *client.UnreachableError
	switch {
	case err == nil, ctx.Err() == nil, errors.As(err, &unreachable):
		return err
	case errors.Is(context.Cause(ctx), errTimedOut):
		return fmt.Errorf("%w: %w", errNothingSent, errTimedOut)
	}
	return fmt.Errorf("%w: nothing was sent", errInterrupted)
}

// left returns what is left of the time limit, or 0 if there is none.
func (c *Command) left(begun time.Time) time.Duration {
	if c.Timeout <= 0 {
		return 0
	}
	return max(time.Nanosecond, c.Timeout-time.Since(begun))
}
