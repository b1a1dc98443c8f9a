package upstream

import (
	"context"
	"math"
	"time"

	"github.com/digate/digate/server/apierror"
)

// Of the caller's time a tenth is kept back, up to a bound: for classifying the
// end of the call and for the response's way, so that the caller hears the verdict
// and not its own timeout.
const (
	keptShare = 10
	maxKept   = 100 * time.Millisecond
)

// budget returns the context that the call has for Diga. A call with too
// little time to begin is an error.
func (c *call) budget(ctx context.Context) (context.Context, error) {
	if err := ctx.Err(); err != nil {
		return nil, apierror.NotBegun(err)
	}
	ends := time.Now().Add(c.client.timeout)
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		kept := min(left/keptShare, maxKept)
		if left-kept < c.client.minTime {
			return nil, apierror.NotBegun(context.DeadlineExceeded)
		}
		ends = deadline.Add(-kept)
	}
	if !c.latest.IsZero() && c.latest.Before(ends) {
		ends = c.latest
	}
	return c.until(ctx, ends), nil
}

// bounded returns ctx with an end no later than the call's.
func (c *call) bounded(ctx context.Context) context.Context {
	if deadline, ok := ctx.Deadline(); c.latest.IsZero() || ok && !deadline.After(c.latest) {
		return ctx
	}
	return c.until(ctx, c.latest)
}

// until returns the context with a deadline. It is released with the call.
func (c *call) until(ctx context.Context, deadline time.Time) context.Context {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	c.cancels = append(c.cancels, cancel)
	return ctx
}

// left returns the time until the context's deadline.
func left(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return math.MaxInt64
}

// hasTime returns an error where too little time is left to begin an attempt.
func (c *Client) hasTime(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return apierror.NotBegun(err)
	}
	if left(ctx) < c.minTime {
		return apierror.NotBegun(context.DeadlineExceeded)
	}
	return nil
}
