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
	// The wait before the second attempt, which doubles with each one that
	// follows, up to a bound.
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = 2 * time.Second
	// budgetBurst is how many retries may follow each other before calls have
	// earned any.
	budgetBurst = 10
)

// retryPolicy says which failures are tried again.
type retryPolicy struct {
	attempts int
	budget   *retryBudget
}

// retryable reports whether an attempt may be repeated without doing anything
// twice, and is worth it: it did not reach Diga, or Diga did nothing
// and named a time, or it was a read that got no verdict.
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

// next reports whether to try again after the attempt that failed, and waits for
// the moment to do so. It reports false where the deadline would not leave the least
// time for another attempt, and where the wait is longer than most, if that is not 0.
func (p *retryPolicy) next(ctx context.Context, e *apierror.Error, write bool, attempt int, least, most time.Duration) bool {
	if attempt >= p.attempts || !retryable(e, write) {
		return false
	}
	wait := backoff(attempt)
	if e.Invited() {
		wait += *e.RetryAfter // not all at the same moment
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

// backoff returns the wait after an attempt, counted from 1: exponential, and
// somewhere in its upper half.
func backoff(attempt int) time.Duration {
	d := min(firstBackoff<<(attempt-1), maxBackoff)
	return d/2 + rand.N(d/2)
}

// retryBudget lets a share of the calls be retried, so that an upstream which fails
// is not asked ever more often: each call earns a part of a retry.
type retryBudget struct {
	ratio float64
	mu    sync.Mutex
	saved float64
	// refused counts the retries for which nothing was left.
	refused uint64
}

// RetryLoad is what calls have saved for retries.
type RetryLoad struct {
	// Saved is how many may be made now, and Limit the most that may be saved. Both are
	// 0 where nothing may be tried again.
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

// earn counts a call.
func (b *retryBudget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.saved = min(b.saved+b.ratio, budgetBurst)
}

// spend takes a retry and reports whether one was left.
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
