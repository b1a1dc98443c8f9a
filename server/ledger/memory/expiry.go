package memory

import (
	"time"

	"github.com/digate/digate/server/ledger"
)

// live returns the key's record as it is now, nil if there is none.
func (s *Store) live(key ledger.Digest, now time.Duration) *record {
	r := s.places.at(s.records[key])
	if r == nil || s.expire(r, now) {
		return nil
	}
	return r
}

// expire settles the record if its lease ran out, removes it if it is gone, and
// reports whether it removed it.
func (s *Store) expire(r *record, now time.Duration) bool {
	if r.state == ledger.Sending && r.expiresAt <= now {
		r.lapsed = true
		s.settle(r, ledger.Unknown, r.expiresAt)
	}
	if r.expiresAt > now {
		return false
	}
	s.remove(r)
	return true
}

// settle brings a record to Done or Unknown as of the given time.
func (s *Store) settle(r *record, state ledger.State, at time.Duration) {
	s.unlink(r)
	r.state, r.expiresAt = state, at+s.retention
	s.link(r)
}

// finish brings a record to Done, as the one that names the integration.
func (s *Store) finish(r *record, createdID string, now time.Duration) {
	s.settle(r, ledger.Done, now)
	r.createdID = s.longIDs.keep(createdID, longID{of: r.place, created: true})
	s.named[nameOf(createdID)] = r.place
}

// names reports whether a record names the integration.
func (s *Store) names(createdID string, now time.Duration) bool {
	r := s.places.at(s.named[nameOf(createdID)])
	return r != nil && r.expiresAt > now
}

func (s *Store) remove(r *record) {
	s.unlink(r)
	s.callers.remove(r.caller)
	delete(s.records, r.key)
	if created := s.createdID(r); created != "" {
		if of := nameOf(created); s.named[of] == r.place {
			delete(s.named, of)
		}
	}
	s.longIDs.forget(&r.parentID, longID{of: r.place})
	s.longIDs.forget(&r.createdID, longID{of: r.place, created: true})
	s.places.giveBack(r)
}

// link puts a record into the order of its state, and unlink takes it out.
func (s *Store) link(r *record) {
	s.orderOf(r.state).add(&s.places, r)
	if r.state == ledger.Claimed {
		s.claimed++
	}
}

func (s *Store) unlink(r *record) {
	s.orderOf(r.state).remove(&s.places, r)
	if r.state == ledger.Claimed {
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
func (s *Store) sweep(now time.Duration, limit int) (removed int) {
	for range min(limit, s.leased.Len()) {
		r := s.places.at(s.leased.first)
		switch {
		case r.expiresAt > now:
			s.leased.remove(&s.places, r)
			s.leased.add(&s.places, r)
		case s.expire(r, now):
			removed++
		}
	}
	for _, settled := range []*order{&s.done, &s.unknown} {
		for removed < limit && settled.Len() > 0 {
			if !s.expire(s.places.at(settled.first), now) {
				break
			}
			removed++
		}
	}
	return removed
}
