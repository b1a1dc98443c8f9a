// Package memory keeps a ledger in the memory of a process. The ledger ends with the
// process, and no other process sees it.
package memory

import (
	"context"
	"sync"
	"time"

	"github.com/digate/digate/server/ledger"
)

// claimSweep is how many records a new claim looks at to remove those that are
// gone. It is more than 1, so that the ledger stays bounded even if Sweep is never
// called.
const claimSweep = 2

// DefaultMaxRecords is how many records are kept at most.
const DefaultMaxRecords = 1_000_000

// Options say how the ledger is kept.
type Options struct {
	// Retention is how long settled records are kept; zero means
	// [ledger.DefaultRetention].
	Retention time.Duration
	// MaxRecords bounds the records that are kept; zero means [DefaultMaxRecords].
	// Beyond it a claim of another key is [ledger.ErrFull]: no record is forgotten
	// before its time. A caller may have three times as many as it leaves free: beyond
	// that, its claims are [ledger.ErrShare].
	MaxRecords int
	// Now is the clock; nil means [time.Now].
	Now func() time.Time
}

// Store is a ledger in memory. No method's cost grows with the number of records.
type Store struct {
	retention time.Duration
	most      int
	clock     func() time.Time
	began     time.Time

	mu      sync.Mutex
	check   *ledger.Digest
	places  places
	longIDs longIDs
	methods methods
	records map[ledger.Digest]place
	// named has the record in Done that names an integration, the latest if there
	// are several.
	named map[name]place
	// leased are the records in Claimed and Sending, in the order in which a sweep
	// last looked at them. done and unknown are those in the states of these names,
	// in the order in which they came there.
	leased, done, unknown order
	claimed               int // how many of leased are in Claimed
	callers               callers
	full                  uint64 // claims that found no room
}

var _ ledger.Store = (*Store)(nil)

// New returns an empty ledger.
func New(o Options) *Store {
	if o.Retention <= 0 {
		o.Retention = ledger.DefaultRetention
	}
	if o.MaxRecords <= 0 {
		o.MaxRecords = DefaultMaxRecords
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Store{
		retention: o.Retention,
		most:      o.MaxRecords,
		clock:     o.Now,
		began:     o.Now(),
		records:   make(map[ledger.Digest]place),
		named:     make(map[name]place),
		callers:   callers{has: make(map[uint64]int)},
	}
}

// KeyCheck implements [ledger.Store].
func (s *Store) KeyCheck(ctx context.Context, check ledger.Digest) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.check == nil {
		s.check = &check
	}
	if *s.check != check {
		return ledger.ErrKey
	}
	return nil
}

// Claim implements [ledger.Store].
func (s *Store) Claim(ctx context.Context, c ledger.Claim) (ledger.Record, bool, error) {
	if err := c.Check(); err != nil {
		return ledger.Record{}, false, err
	}
	if err := ctx.Err(); err != nil {
		return ledger.Record{}, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	today := s.clock()
	now := today.Sub(s.began)
	s.sweep(now, claimSweep)
	if r := s.live(c.Key, now); r != nil {
		return s.show(r, now), r.state == ledger.Claimed && r.token == c.Token, nil
	}
	switch free := s.most - len(s.records) - 1; {
	case free < 0:
		s.full++
		return ledger.Record{}, false, ledger.ErrFull
	case !s.callers.mayAdd(c.Caller, free):
		return ledger.Record{}, false, ledger.ErrShare
	}
	r := s.places.take()
	r.key, r.fingerprint, r.token, r.caller = c.Key, c.Fingerprint, c.Token, c.Caller
	r.parentID, r.method = s.longIDs.keep(c.ParentID, longID{of: r.place}), s.methods.number(c.Method)
	r.state, r.claimedOn, r.claimedAt, r.expiresAt = ledger.Claimed, today.UnixNano(), now, now+c.Lease
	s.callers.add(c.Caller)
	s.link(r)
	s.records[c.Key] = r.place
	as := s.brief(r, now)
	as.ParentID = c.ParentID
	return as, true, nil
}

// Get implements [ledger.Store].
func (s *Store) Get(ctx context.Context, key ledger.Digest) (ledger.Record, bool, error) {
	if err := ctx.Err(); err != nil {
		return ledger.Record{}, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	r := s.live(key, now)
	if r == nil {
		return ledger.Record{}, false, nil
	}
	return s.show(r, now), true, nil
}

// Renew implements [ledger.Store].
func (s *Store) Renew(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	if err := ledger.CheckLease(lease); err != nil {
		return err
	}
	return s.change(ctx, key, token, func(r *record, now time.Duration) bool {
		if r.state != ledger.Claimed && r.state != ledger.Sending {
			return false
		}
		r.expiresAt = now + lease
		return true
	})
}

// MarkSending implements [ledger.Store].
func (s *Store) MarkSending(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	if err := ledger.CheckLease(lease); err != nil {
		return err
	}
	return s.change(ctx, key, token, func(r *record, now time.Duration) bool {
		if r.state != ledger.Claimed {
			return false
		}
		s.unlink(r)
		r.state, r.expiresAt = ledger.Sending, now+lease
		s.link(r)
		return true
	})
}

// MarkDone implements [ledger.Store].
func (s *Store) MarkDone(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error {
	if err := ledger.CheckID(createdID); err != nil {
		return err
	}
	return s.change(ctx, key, token, func(r *record, now time.Duration) bool {
		switch r.state {
		case ledger.Sending, ledger.Unknown:
			s.finish(r, createdID, now)
			return true
		case ledger.Done:
			return s.createdID(r) == createdID
		default:
			return false
		}
	})
}

// MarkUnknown implements [ledger.Store].
func (s *Store) MarkUnknown(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	return s.change(ctx, key, token, func(r *record, now time.Duration) bool {
		if r.state == ledger.Sending {
			s.settle(r, ledger.Unknown, now)
		}
		r.lapsed = false
		return r.state == ledger.Unknown
	})
}

// Release implements [ledger.Store].
func (s *Store) Release(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	return s.change(ctx, key, token, func(r *record, _ time.Duration) bool {
		if r.state == ledger.Done {
			return false
		}
		s.remove(r)
		return true
	})
}

// Resolve implements [ledger.Store].
func (s *Store) Resolve(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error {
	if createdID != "" {
		if err := ledger.CheckID(createdID); err != nil {
			return err
		}
	}
	named := false
	err := s.change(ctx, key, token, func(r *record, now time.Duration) bool {
		switch {
		case r.state != ledger.Unknown:
			return false
		case createdID == "":
			s.remove(r)
		case s.names(createdID, now):
			named = true
		default:
			s.finish(r, createdID, now)
		}
		return true
	})
	if named {
		return ledger.ErrNamed
	}
	return err
}

// Named implements [ledger.Store].
func (s *Store) Named(ctx context.Context, createdIDs []string) ([]string, error) {
	if err := ledger.CheckNamed(createdIDs); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	var named []string
	for _, id := range createdIDs {
		if s.names(id, now) {
			named = append(named, id)
		}
	}
	return named, nil
}

// Sweep implements [ledger.Store].
func (s *Store) Sweep(ctx context.Context, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sweep(s.now(), limit), nil
}

// Close implements [ledger.Store].
func (s *Store) Close() error { return nil }

// now returns the time since the store began.
func (s *Store) now() time.Duration { return s.clock().Sub(s.began) }

// change applies do to the key's record if it has the token. do reports whether it
// changed the record.
func (s *Store) change(ctx context.Context, key ledger.Digest, token ledger.Token, do func(*record, time.Duration) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if r := s.live(key, now); r == nil || r.token != token || !do(r, now) {
		return ledger.ErrLost
	}
	return nil
}
