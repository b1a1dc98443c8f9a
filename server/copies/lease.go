package copies

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/digate/digate/server/ledger"
)

// leases renews the leases of the current claims. Each lease is renewed after a third of
// its length, until it is dropped, its claim is lost or the coordinator is closed. All
// leases have the same length, so they are due in the order of the list, and one timer is
// enough.
type leases struct {
	every time.Duration
	// renew renews the lease of an attempt's claim.
	renew func(context.Context, *attempt) error
	// closed ends when the coordinator is closed.
	closed context.Context

	mu           sync.Mutex
	ring         lease       // head of the ring list: next is due first, prev last
	timer        *time.Timer // nil until the first lease
	timerRunning bool        // the timer is running
}

// lease is the lease of an attempt's claim.
type lease struct {
	attempt    *attempt
	at         time.Time // when it is due
	prev, next *lease    // nil while it is not in the list
	cancel     context.CancelFunc
	dropped    bool
}

func newLeases(closed context.Context, length time.Duration, renew func(context.Context, *attempt) error) *leases {
	ls := &leases{every: length / 3, renew: renew, closed: closed}
	ls.ring.prev, ls.ring.next = &ls.ring, &ls.ring
	return ls
}

// start starts to renew the attempt's lease.
func (ls *leases) start(a *attempt) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	a.lease.attempt = a
	ls.put(&a.lease)
}

// stop stops renewing the attempt's lease. It cancels a renewal in progress.
func (ls *leases) stop(a *attempt) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	a.lease.dropped = true
	ls.take(&a.lease)
	if a.lease.cancel != nil {
		a.lease.cancel()
	}
}

// put appends a lease to the list. The caller must hold mu.
func (ls *leases) put(l *lease) {
	l.at = time.Now().Add(ls.every)
	l.prev, l.next = ls.ring.prev, &ls.ring
	l.prev.next, l.next.prev = l, l
	switch {
	case ls.timerRunning:
		return
	case ls.timer == nil:
		ls.timer = time.AfterFunc(ls.every, ls.renewDue)
	default:
		ls.timer.Reset(ls.every)
	}
	ls.timerRunning = true
}

// take removes a lease from the list, if it is in it. The caller must hold mu.
func (ls *leases) take(l *lease) {
	if l.next != nil {
		l.prev.next, l.next.prev = l.next, l.prev
		l.prev, l.next = nil, nil
	}
}

// renewDue starts the renewal of each lease that is due, and sets the timer for the next
// one. The renewals run concurrently, because a ledger operation may hang.
func (ls *leases) renewDue() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	now := time.Now()
	for l := ls.ring.next; l != &ls.ring; l = ls.ring.next {
		if l.at.After(now) {
			ls.timer.Reset(l.at.Sub(now))
			return
		}
		ls.take(l)
		var ctx context.Context
		ctx, l.cancel = context.WithTimeout(&l.attempt.detached, ledgerTimeout)
		go ls.renewOne(ctx, l)
	}
	ls.timerRunning = false
}

func (ls *leases) renewOne(ctx context.Context, l *lease) {
	err := ls.renew(ctx, l.attempt)
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.cancel()
	l.cancel = nil
	if !l.dropped && ls.closed.Err() == nil && !errors.Is(err, ledger.ErrLost) {
		ls.put(l)
	}
}
