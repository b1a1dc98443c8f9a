// Package load makes many calls at once and tells how long they took. Every
// response is checked, and the first that is wrong ends the run.
package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Plan is what a run does.
type Plan struct {
	// InFlight is how many calls are under way all the time, or at most with a Rate.
	InFlight int
	// For is how long calls begin.
	For time.Duration
	// Rate is how many calls begin in a second, 0 for as many as get done.
	Rate float64
	// Variables is the size of the variables' JSON, in bytes.
	Variables int
}

// Result is how a run went.
type Result struct {
	Calls    int
	Took     time.Duration
	P50, P99 time.Duration
}

// PerSecond returns how many calls were done in a second.
func (r Result) PerSecond() float64 { return float64(r.Calls) / r.Took.Seconds() }

// Call makes the copy of that number. Each worker makes one call at a time.
type Call func(ctx context.Context, worker, n int) error

// Run makes calls as the plan says and returns once all are done.
func Run(ctx context.Context, plan Plan, call Call) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var last atomic.Int64
	var workers sync.WaitGroup
	took := make([][]time.Duration, plan.InFlight)
	began := time.Now()
	for worker := range plan.InFlight {
		workers.Go(func() {
			for {
				n := int(last.Add(1))
				due := time.Now()
				if plan.Rate > 0 {
					due = began.Add(time.Duration(float64(n) / plan.Rate * float64(time.Second)))
				}
				if due.Sub(began) >= plan.For || ctx.Err() != nil {
					return
				}
				time.Sleep(time.Until(due))
				if err := call(ctx, worker, n); err != nil {
					cancel(fmt.Errorf("with %d calls in flight: %w", plan.InFlight, err))
					return
				}
				took[worker] = append(took[worker], time.Since(due))
			}
		})
	}
	workers.Wait()
	r := Result{Took: time.Since(began)}
	if err := context.Cause(ctx); err != nil {
		return r, err
	}
	all := slices.Concat(took...)
	if len(all) == 0 {
		return r, errors.New("no call was made")
	}
	slices.SortFunc(all, cmp.Compare)
	r.Calls, r.P50, r.P99 = len(all), all[len(all)/2], all[len(all)*99/100]
	return r, nil
}
