package upstream

import (
	"context"
	"time"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/upstream/admission"
)

// reserveShare is the fraction of a short time that is reserved.
const reserveShare = 10

// reserve returns how much of a caller's remaining time is reserved, so that the caller gets
// digate's error and not its own timeout. The reserve covers the handling of the call's
// end, the transfer of the response, and what the caller's gRPC library adds to the
// deadline on the wire: grpc-core rounds up by as much as one percent.
func reserve(left time.Duration) time.Duration {
	return min(left/reserveShare, 100*time.Millisecond+left/100)
}

// budget returns the context for the requests to Diga. It returns an error if too little
// time is left to begin the call.
func (c *call) budget(ctx context.Context) (context.Context, error) {
	if err := ctx.Err(); err != nil {
		return nil, apierror.NotBegun(err)
	}
	ends := time.Now().Add(c.client.timeout)
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		if left-reserve(left) < c.client.minTime {
			return nil, apierror.NotBegun(context.DeadlineExceeded)
		}
		ends = deadline.Add(-reserve(left))
	}
	if !c.latest.IsZero() && c.latest.Before(ends) {
		ends = c.latest
	}
	c.limit.Set(ctx, ends)
	return &c.limit, nil
}

// limited returns ctx with a deadline no later than the call's.
func (c *call) limited(ctx context.Context) context.Context {
	if deadline, ok := ctx.Deadline(); c.latest.IsZero() || ok && !deadline.After(c.latest) {
		return ctx
	}
	ctx, cancel := context.WithDeadline(ctx, c.latest)
	c.cancels = append(c.cancels, cancel)
	return ctx
}

// release releases the contexts that were created for the call.
func (c *call) release() {
	c.limit.End()
	for _, cancel := range c.cancels {
		cancel()
	}
}

// checkTime returns an error if too little time is left to begin an attempt.
func (c *Client) checkTime(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return apierror.NotBegun(err)
	}
	if admission.TimeLeft(ctx) < c.minTime {
		return apierror.NotBegun(context.DeadlineExceeded)
	}
	return nil
}
