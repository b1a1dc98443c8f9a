package upstream

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/upstream/admission"
)

const (
	// The wait before the second attempt. It doubles with each further attempt up to a
	// maximum.
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = 2 * time.Second
	// budgetBurst is how many retries may be made before calls have earned any.
	budgetBurst = 10
)

// retryPolicy decides which failures are retried.
type retryPolicy struct {
	attempts int
	budget   *retryBudget
}

// retryable reports whether a retry is safe and useful: the attempt did not reach Diga,
// or Diga did nothing and named a time to wait, or a read has no conclusive response.
func retryable(e *apierror.Error, write bool) bool {
	switch {
	case e.Reason == apierror.ReasonUnreachable && e.Domain == apierror.DomainDigate, e.Invited():
		return true
	case write || e.Outcome != exchange.Unknown:
		return false
	case e.Code == codes.DeadlineExceeded, e.Code == codes.Canceled, e.HTTPStatus/100 == 2:
		return false // there is no time, or the response would be the same
	default:
		return true
	}
}

// next reports whether to retry after a failed attempt, and waits until the retry should
// begin. It returns false if the deadline would leave less time than least for the retry,
// or if the wait is longer than most and most is not 0.
func (p *retryPolicy) next(ctx context.Context, e *apierror.Error, write bool, attempt int, least, most time.Duration) bool {
	if attempt >= p.attempts || !retryable(e, write) {
		return false
	}
	wait := backoff(attempt)
	if e.Invited() {
		wait += *e.RetryAfter // spread the retries, so that they do not all come at once
	}
	if admission.TimeLeft(ctx)-wait < least || most > 0 && wait > most {
		return false
	}
	if !p.budget.spend() {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// backoff returns the wait after an attempt, counted from 1. It grows exponentially, with
// random jitter in its upper half.
func backoff(attempt int) time.Duration {
	d := min(firstBackoff<<(attempt-1), maxBackoff)
	return d/2 + rand.N(d/2)
}

// retryBudget limits retries to a share of the calls, so that a failing upstream does not
// get ever more requests: each call earns a part of a retry.
type retryBudget struct {
	ratio float64
	mu    sync.Mutex
	saved float64
	// refused counts the retries that the budget did not allow.
	refused uint64
}

// RetryLoad is the state of the retry budget.
type RetryLoad struct {
	// Saved is how many retries may be made now, and Limit the maximum. Both are 0 if
	// retries are disabled.
	Saved   float64
	Limit   int
	Refused uint64
}

func (b *retryBudget) load() RetryLoad {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ratio <= 0 {
		return RetryLoad{Refused: b.refused}
	}
	return RetryLoad{b.saved, budgetBurst, b.refused}
}

func newRetryBudget(ratio float64) *retryBudget {
	return &retryBudget{ratio: ratio, saved: budgetBurst}
}

// earn adds the share of one call to the budget.
func (b *retryBudget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.saved = min(b.saved+b.ratio, budgetBurst)
}

// spend takes a retry from the budget, and reports whether there was one.
func (b *retryBudget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ratio <= 0 || b.saved < 1 {
		b.refused++
		return false
	}
	b.saved--
	return true
}
