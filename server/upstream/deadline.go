package upstream

import (
	"context"
	"time"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/upstream/admission"
)

// keptShare is the part of a short time that is kept back.
const keptShare = 10

// kept returns how much of a caller's time is kept back, so that the caller hears
// the verdict and not its own timeout. It covers the classification of the call's
// end, the way of the response, and what the caller's gRPC library added to its
// deadline on the wire: grpc-core rounds up by as much as a hundredth.
func kept(left time.Duration) time.Duration {
	return min(left/keptShare, 100*time.Millisecond+left/100)
}

// budget returns the context that the call has for Diga. A call with too
// little time to begin is an error.
func (c *call) budget(ctx context.Context) (context.Context, error) {
	if err := ctx.Err(); err != nil {
		return nil, apierror.NotBegun(err)
	}
	ends := time.Now().Add(c.client.timeout)
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		if left-kept(left) < c.client.minTime {
			return nil, apierror.NotBegun(context.DeadlineExceeded)
		}
		ends = deadline.Add(-kept(left))
	}
	if !c.latest.IsZero() && c.latest.Before(ends) {
		ends = c.latest
	}
	c.limit.Set(ctx, ends)
	return &c.limit, nil
}

// bounded returns ctx with an end no later than the call's.
func (c *call) bounded(ctx context.Context) context.Context {
	if deadline, ok := ctx.Deadline(); c.latest.IsZero() || ok && !deadline.After(c.latest) {
		return ctx
	}
	ctx, cancel := context.WithDeadline(ctx, c.latest)
	c.cancels = append(c.cancels, cancel)
	return ctx
}

// release ends the contexts that were made for the call.
func (c *call) release() {
	c.limit.End()
	for _, cancel := range c.cancels {
		cancel()
	}
}

// hasTime returns an error where too little time is left to begin an attempt.
func (c *Client) hasTime(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return apierror.NotBegun(err)
	}
	if admission.TimeLeft(ctx) < c.minTime {
		return apierror.NotBegun(context.DeadlineExceeded)
	}
	return nil
}
