package upstream

import (
	"container/list"
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
//
// A call that is recorded before it is sent needs a place first, of which there
// are as many as the limit. Without places, all that wait for a permit would be
// recorded as being sent, and be in doubt after a crash. With the permit in place
// of one, whose time is taken for the vendor's, a slow ledger would lower the limit
// and hold up the calls that need no record. So a place comes before the record,
// and the permit after it, for the exchange alone.
type limiter struct {
	permits adaptivelimiter.AdaptiveLimiter[any]
	places  places
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
	permits := adaptivelimiter.NewBuilder[any]().
		WithLimits(uint(least), uint(most), uint(first)).
		// By default the limit sinks to a few times what is under way, and
		// the next burst is refused though the vendor is well.
		WithMaxLimitFunc(func(int) float64 { return float64(most) }).
		WithRecentWindow(limitEvery, limitAge, limitSamples).
		Build()
	return &limiter{
		permits: permits,
		places:  places{size: permits.Limit},
		seed:    maphash.MakeSeed(),
		size:    queue,
		callers: make(map[uint64]int),
	}
}

// acquire returns leave for one exchange, which finishes with finish. It fails
// with errFull or with the context's error.
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

// place returns leave to record an exchange and then to get its permit with
// follow. It is given back with release, after the permit, and fails as acquire
// does.
func (l *limiter) place(ctx context.Context, caller string) error {
	if l.places.tryAcquire() {
		return nil
	}
	return l.queue(caller, func() error { return l.places.acquire(ctx) })
}

// release gives a place back.
func (l *limiter) release() { l.places.release() }

// follow returns leave for one exchange to who has a place. Those are few, so
// none is refused; where all exchanges have places, none has to wait.
func (l *limiter) follow(ctx context.Context) (adaptivelimiter.Permit, error) {
	return l.permits.AcquirePermit(ctx)
}

// finish ends an exchange. Its duration counts where that says something of the
// vendor.
func (l *limiter) finish(p adaptivelimiter.Permit, counts bool) {
	if counts {
		p.Record()
	} else {
		p.Drop()
	}
	l.places.resized()
}

// queue has a caller wait, if there is room.
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

// queued is how many wait.
func (l *limiter) queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}

// places is a semaphore whose size may change. Who waits is served in order.
type places struct {
	size func() int

	mu      sync.Mutex
	used    int
	waiting list.List // of chan struct{}
}

func (p *places) tryAcquire() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting.Len() > 0 || p.used >= p.size() {
		return false
	}
	p.used++
	return true
}

func (p *places) acquire(ctx context.Context) error {
	p.mu.Lock()
	turn := make(chan struct{})
	at := p.waiting.PushBack(turn)
	p.serve()
	p.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-turn: // both at once: somebody else may have it
		p.used--
		p.serve()
	default:
		p.waiting.Remove(at)
	}
	return ctx.Err()
}

func (p *places) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used--
	p.serve()
}

// resized is to be called when the size may have grown.
func (p *places) resized() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serve()
}

// serve gives what is free to those that wait.
func (p *places) serve() {
	for size := p.size(); p.used < size; p.used++ {
		first := p.waiting.Front()
		if first == nil {
			return
		}
		close(p.waiting.Remove(first).(chan struct{}))
	}
}
