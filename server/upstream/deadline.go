package upstream

import (
	"context"
	"time"

	"github.com/digate/digate/server/apierror"
)

// Of the caller's time a tenth is kept back, up to a bound: for classifying the
// end of the call and for the answer's way, so that the caller hears the verdict
// and not its own timeout.
const (
	keptShare = 10
	maxKept   = 100 * time.Millisecond
)

// budget returns the context that the call has for the vendor. A call with too
// little time to begin is an error.
func (c *Client) budget(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, apierror.NotBegun(err)
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		ctx, cancel := context.WithTimeout(ctx, c.timeout)
		return ctx, cancel, nil
	}
	left := time.Until(deadline)
	kept := min(left/keptShare, maxKept)
	if left-kept < c.minTime {
		return nil, nil, apierror.NotBegun(context.DeadlineExceeded)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline.Add(-kept))
	return ctx, cancel, nil
}

// hasTime says whether enough is left of the context to begin an attempt.
func (c *Client) hasTime(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return apierror.NotBegun(err)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < c.minTime {
		return apierror.NotBegun(context.DeadlineExceeded)
	}
	return nil
}
