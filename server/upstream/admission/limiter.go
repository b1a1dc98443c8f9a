package admission

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
	// limitEvery is how often the limit may change, by about its own logarithm to
	// ten. If responses take longer than half of this, it may change every two
	// response times.
	limitEvery = 100 * time.Millisecond
	// limitAge and limitSamples are how long, in responses, a change may wait for
	// enough of them.
	limitAge     = 30 * time.Second
	limitSamples = 50
)

// errFull means that the queue, or the caller's share of it, is full.
var errFull = errors.New("the queue is full")

// limiter bounds the exchanges under way. The limit follows the upstream's
// response times: it falls while they grow and rises while they do not. Calls
// above the limit wait in a bounded queue. A caller may have as many calls waiting
// as there are free places in the queue (Choudhury and Hahne's dynamic
// thresholds): alone half of it, beside one other a third, so that a place is
// always left for a caller who has none.
//
// A copy with a request id is written to the ledger before it is sent. It takes a
// slot first, so that few copies are marked as being sent at a crash, and its
// permit only after that write, so that a slow ledger does not look like a slow
// upstream and does not delay calls without a record. There are as many slots as
// the limit.
type limiter struct {
	permits adaptivelimiter.AdaptiveLimiter[any]
	slots   slots
	seed    maphash.Seed
	// size bounds the queue.
	size int

	mu      sync.Mutex
	waiting int
	callers map[uint64]int // calls waiting, by a digest of the caller
}

// newLimiter returns a limiter whose limit moves between least and most.
func newLimiter(least, most, queue int) *limiter {
	first := min(max(most/initialShare, least), most)
	permits := adaptivelimiter.NewBuilder[any]().
		WithLimits(uint(least), uint(most), uint(first)).
		// By default the limit sinks to a few times the exchanges under way, and
		// the next burst is refused by a healthy upstream's limit.
		WithMaxLimitFunc(func(int) float64 { return float64(most) }).
		WithRecentWindow(limitEvery, limitAge, limitSamples).
		Build()
	return &limiter{
		permits: permits,
		slots:   slots{size: permits.Limit},
		seed:    maphash.MakeSeed(),
		size:    queue,
		callers: make(map[uint64]int),
	}
}

// acquire returns the permit for one exchange, to be given back to finish. It
// fails with errFull or with the context's error.
func (l *limiter) acquire(ctx context.Context, caller string) (permit adaptivelimiter.Permit, err error) {
	if p, ok := l.permits.TryAcquirePermit(); ok {
		return p, nil
	}
	err = l.queue(caller, func() error {
		permit, err = l.permits.AcquirePermit(ctx)
		return err
	})
	return permit, err
}

// slot takes a slot, in which an exchange may be recorded and then get its permit
// from follow. The slot is given back with release, after the permit. slot fails
// as acquire does.
func (l *limiter) slot(ctx context.Context, caller string) error {
	if l.slots.tryAcquire() {
		return nil
	}
	return l.queue(caller, func() error { return l.slots.acquire(ctx) })
}

// release gives a slot back.
func (l *limiter) release() { l.slots.release() }

// follow returns the permit for an exchange that has a slot. Slots are few, so
// follow refuses none; if every exchange has a slot, none has to wait.
func (l *limiter) follow(ctx context.Context) (adaptivelimiter.Permit, error) {
	return l.permits.AcquirePermit(ctx)
}

// finish ends an exchange. counts reports whether its duration is the upstream's.
func (l *limiter) finish(p adaptivelimiter.Permit, counts bool) {
	if counts {
		p.Record()
	} else {
		p.Drop()
	}
	l.slots.resized()
}

// queue makes a caller wait if there is room.
func (l *limiter) queue(caller string, wait func() error) error {
	id := maphash.String(l.seed, caller)
	l.mu.Lock()
	if l.callers[id] >= l.size-l.waiting {
		l.mu.Unlock()
		return errFull
	}
	l.waiting++
	l.callers[id]++
	l.mu.Unlock()
	err := wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	if l.callers[id]--; l.callers[id] == 0 {
		delete(l.callers, id)
	}
	return err
}

// queued returns how many calls wait.
func (l *limiter) queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}
