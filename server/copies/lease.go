package copies

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/digate/digate/server/ledger"
)

// leases are the leases of the claims under way. Each is renewed at a third of its length,
// until it is dropped, the claim is lost, or the coordinator is closed. All have one
// length, so they are due in the order in which they came, and one timer is enough.
type leases struct {
	every time.Duration
	// renew renews the lease of an attempt's claim.
	renew func(context.Context, *attempt) error
	// closed ends with the coordinator.
	closed context.Context

	mu    sync.Mutex
	due   lease       // before the lease that is due first, and behind the last
	timer *time.Timer // nil until there is a lease
	timed bool        // the timer runs
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
	ls.due.prev, ls.due.next = &ls.due, &ls.due
	return ls
}

// keep begins to renew the lease of the attempt.
func (ls *leases) keep(a *attempt) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	a.lease.attempt = a
	ls.put(&a.lease)
}

// drop ends that. A renewal under way is cancelled.
func (ls *leases) drop(a *attempt) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	a.lease.dropped = true
	ls.take(&a.lease)
	if a.lease.cancel != nil {
		a.lease.cancel()
	}
}

// put puts a lease at the end of the list. It is called with mu held.
func (ls *leases) put(l *lease) {
	l.at = time.Now().Add(ls.every)
	l.prev, l.next = ls.due.prev, &ls.due
	l.prev.next, l.next.prev = l, l
	switch {
	case ls.timed:
		return
	case ls.timer == nil:
		ls.timer = time.AfterFunc(ls.every, ls.renewDue)
	default:
		ls.timer.Reset(ls.every)
	}
	ls.timed = true
}

// take takes a lease out of the list, if it is there. It is called with mu held.
func (ls *leases) take(l *lease) {
	if l.next != nil {
		l.prev.next, l.next.prev = l.next, l.prev
		l.prev, l.next = nil, nil
	}
}

// renewDue begins to renew each lease that is due, and sets the timer for the next one.
// They do not wait for each other: a call to the ledger may hang.
func (ls *leases) renewDue() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	now := time.Now()
	for l := ls.due.next; l != &ls.due; l = ls.due.next {
		if l.at.After(now) {
			ls.timer.Reset(l.at.Sub(now))
			return
		}
		ls.take(l)
		var ctx context.Context
		ctx, l.cancel = context.WithTimeout(&l.attempt.detached, ledgerTimeout)
		go ls.renewOne(ctx, l)
	}
	ls.timed = false
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
