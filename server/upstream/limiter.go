package upstream

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
)

const (
	// initialShare is the part of the largest limit that is the first.
	initialShare = 5
	// limitEvery is how often the limit may change, by about the logarithm to ten
	// of itself. Where answers take longer than half of this, it is every two answer
	// times.
	limitEvery = 100 * time.Millisecond
	// limitAge and limitSamples are how long, in answers, a change may wait for
	// enough of them.
	limitAge     = 30 * time.Second
	limitSamples = 50
)

// errFull means that the queue, or the caller's part of it, is full.
var errFull = errors.New("the queue is full")

// limiter bounds the exchanges under way. The limit follows the vendor's answer
// times: it falls while they grow, and rises while they do not. What it does not
// let begin waits in a queue of bounded length. A caller may have as many waiting
// as there are places left (Choudhury and Hahne's dynamic thresholds): alone half
// of the queue, beside one other a third, so that a place is always left for who
// has none.
type limiter struct {
	permits adaptivelimiter.AdaptiveLimiter[any]
	seed    maphash.Seed
	// size bounds the queue.
	size int

	mu      sync.Mutex
	waiting int
	callers map[uint64]int // those that wait, by a digest of their credential
}

// newLimiter returns a limiter whose limit moves between least and most.
func newLimiter(least, most, queue int) *limiter {
	first := min(max(most/initialShare, least), most)
	return &limiter{
		permits: adaptivelimiter.NewBuilder[any]().
			WithLimits(uint(least), uint(most), uint(first)).
			// By default the limit sinks to a few times what is under way, and
			// the next burst is refused though the vendor is well.
			WithMaxLimitFunc(func(int) float64 { return float64(most) }).
			WithRecentWindow(limitEvery, limitAge, limitSamples).
			Build(),
		seed:    maphash.MakeSeed(),
		size:    queue,
		callers: make(map[uint64]int),
	}
}

// acquire returns leave for one exchange, which ends with Record, or with Drop
// where its duration says nothing of the vendor. It fails with errFull or with
// the context's error.
func (l *limiter) acquire(ctx context.Context, caller string) (adaptivelimiter.Permit, error) {
	if p, ok := l.permits.TryAcquirePermit(); ok {
		return p, nil
	}
	id := maphash.String(l.seed, caller)
	l.mu.Lock()
	if l.callers[id] >= l.size-l.waiting {
		l.mu.Unlock()
		return nil, errFull
	}
	l.waiting++
	l.callers[id]++
	l.mu.Unlock()
	p, err := l.permits.AcquirePermit(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	if l.callers[id]--; l.callers[id] == 0 {
		delete(l.callers, id)
	}
	return p, err
}

// queued is how many wait.
func (l *limiter) queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}
