package memory

import (
	"strings"
	"time"

	"github.com/digate/digate/server/ledger"
)

// live returns the key's record as it is now, nil if there is none.
func (s *Store) live(key ledger.Digest, now time.Time) *record {
	r := s.records[key]
	if r == nil || s.expire(r, now) {
		return nil
	}
	return r
}

// at returns the record as it is at that time.
func (r *record) at(now time.Time) ledger.Record {
	as := r.Record
	if r.State == ledger.Unknown && !r.lapsedAt.IsZero() {
		as.LapsedFor = max(1, now.Sub(r.lapsedAt))
	}
	return as
}

// expire settles the record if its lease ran out, removes it if it is gone, and
// reports whether it removed it.
func (s *Store) expire(r *record, now time.Time) bool {
	if r.State == ledger.Sending && !r.expiresAt.After(now) {
		r.lapsedAt = r.expiresAt
		s.settle(r, ledger.Unknown, r.expiresAt)
	}
	if r.expiresAt.After(now) {
		return false
	}
	s.remove(r)
	return true
}

// settle brings a record to Done or Unknown as of the given time.
func (s *Store) settle(r *record, state ledger.State, at time.Time) {
	s.unlink(r)
	r.State, r.expiresAt = state, at.Add(s.retention)
	s.link(r)
}

// finish brings a record to Done, as the one that names the integration.
func (s *Store) finish(r *record, createdID string, now time.Time) {
	s.settle(r, ledger.Done, now)
	r.CreatedID = strings.Clone(createdID)
	s.named[r.CreatedID] = r
}

// names reports whether a record names the integration.
func (s *Store) names(createdID string, now time.Time) bool {
	r := s.named[createdID]
	return r != nil && r.expiresAt.After(now)
}

func (s *Store) remove(r *record) {
	s.unlink(r)
	s.callers.remove(r.caller)
	delete(s.records, r.Key)
	if s.named[r.CreatedID] == r {
		delete(s.named, r.CreatedID)
	}
}

// link puts a record into the order of its state, and unlink takes it out.
func (s *Store) link(r *record) {
	s.orderOf(r.State).add(r)
	if r.State == ledger.Claimed {
		s.claimed++
	}
}

func (s *Store) unlink(r *record) {
	s.orderOf(r.State).remove(r)
	if r.State == ledger.Claimed {
		s.claimed--
	}
}

func (s *Store) orderOf(state ledger.State) *order {
	switch state {
	case ledger.Done:
		return &s.done
	case ledger.Unknown:
		return &s.unknown
	default:
		return &s.leased
	}
}

// sweep looks at up to limit records of either kind, and returns how many it
// removed, which is at most limit.
//
// The settled records are in the order in which they go, so it stops at the first
// that is not gone. (A record whose lease ran out long before a sweep saw it is
// behind records that go later, and is removed a little late.) Of the leased
// records it takes the next in turn.
func (s *Store) sweep(now time.Time, limit int) (removed int) {
	for range min(limit, s.leased.Len()) {
		r := s.leased.first
		switch {
		case r.expiresAt.After(now):
			s.leased.remove(r)
			s.leased.add(r)
		case s.expire(r, now):
			removed++
		}
	}
	for _, settled := range []*order{&s.done, &s.unknown} {
		for removed < limit && settled.Len() > 0 {
			if !s.expire(settled.first, now) {
				break
			}
			removed++
		}
	}
	return removed
}
