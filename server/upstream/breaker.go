package upstream

import (
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

const (
	// The circuit opens when half of the exchanges within the period failed, and
	// there were enough of them to tell.
	breakerRate   = 0.5
	breakerCalls  = 20
	breakerPeriod = 10 * time.Second
	// breakerTrials is how many exchanges in a row have to do well to close it
	// again.
	breakerTrials = 3
	// breakerJitter keeps replicas from trying again all at once.
	breakerJitter = 0.2
)

// health is what an exchange says of the vendor.
type health int8

const (
	// silent: nothing, since the caller ended it.
	silent health = iota
	// alive: it answered, though perhaps with a refusal.
	alive
	// failing: no exchange came about, or a 5xx.
	failing
)

// breaker leaves a vendor alone that fails. Its library has no results that say
// nothing, and takes a late result for one of the state it is in by then; both
// are sorted out here. A nil breaker is never open.
type breaker struct {
	mu sync.Mutex
	cb circuitbreaker.CircuitBreaker[any]
	// era counts the states that there were: a result counts only in the one
	// that let it begin.
	era uint64
}

// newBreaker returns a breaker that stays open for the delay, nil for none. The
// listener, which may be nil, is told of each change; it must not block.
func newBreaker(delay time.Duration, changed func(state string)) *breaker {
	if delay <= 0 {
		return nil
	}
	b := new(breaker)
	b.cb = circuitbreaker.NewBuilder[any]().
		WithFailureRateThreshold(breakerRate, breakerCalls, breakerPeriod).
		WithSuccessThreshold(breakerTrials).
		WithDelay(delay).WithJitterFactor(breakerJitter).
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) {
			b.era++
			if changed != nil {
				changed(e.NewState.String())
			}
		}).
		Build()
	return b
}

// refuses says whether the breaker is open, and for how long still.
func (b *breaker) refuses() (wait time.Duration, open bool) {
	if b == nil {
		return 0, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	wait = b.cb.RemainingDelay()
	return wait, wait > 0
}

// begin asks to begin an exchange. One that may is told of with end.
func (b *breaker) begin() (era uint64, wait time.Duration, ok bool) {
	if b == nil {
		return 0, 0, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cb.TryAcquirePermit() {
		return b.era, 0, true
	}
	return 0, max(b.cb.RemainingDelay(), time.Second), false
}

// end says how an exchange went that began in the era.
func (b *breaker) end(era uint64, h health) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if era != b.era {
		return
	}
	switch {
	case h == alive:
		b.cb.RecordSuccess()
	case h == failing:
		b.cb.RecordFailure()
	case b.cb.IsHalfOpen():
		// Its place among the trials would stay taken for ever: they begin anew.
		b.cb.Open()
		b.cb.HalfOpen()
	}
}

// state returns "closed", "half-open" or "open".
func (b *breaker) state() string {
	if b == nil {
		return circuitbreaker.ClosedState.String()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cb.State().String()
}
