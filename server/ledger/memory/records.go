package memory

import (
	"iter"
	"time"

	"github.com/digate/digate/server/ledger"
)

// record is one call. It has no pointers, and neither has anything else that grows with the
// records, so that the garbage collector need not look at it: with pointers, a million
// records would take a second of CPU in each collection.
//
// Its times count from the store's beginning, by the clock that does not move when the time
// of day is set.
type record struct {
	key, fingerprint ledger.Digest
	token            ledger.Token
	parentID         id
	createdID        id // empty unless Done
	method           uint16
	state            ledger.State
	lapsed           bool          // in Unknown because the lease ran out
	caller           uint64        // who claimed it
	claimedAt        time.Duration // when the claim was made
	claimedOn        int64         // the same by the time of day, in nanoseconds since 1970
	// expiresAt is when the lease runs out, or when a settled record is gone.
	expiresAt time.Duration
	// place is where the record is, and prev and next are its neighbours in the order of
	// its state. The next one of a place that is free is the next free one.
	place, prev, next place
}

// show returns the record as it is at that time.
func (s *Store) show(r *record, now time.Duration) ledger.Record {
	as := s.brief(r, now)
	as.ParentID, as.CreatedID = s.longIDs.text(&r.parentID, longID{of: r.place}), s.createdID(r)
	return as
}

// brief is show without the ids.
func (s *Store) brief(r *record, now time.Duration) ledger.Record {
	as := ledger.Record{
		Key: r.key, Fingerprint: r.fingerprint, Method: s.methods.name(r.method),
		State: r.state, Token: r.token, ClaimedAt: time.Unix(0, r.claimedOn),
	}
	if r.state == ledger.Unknown && r.lapsed {
		as.LapsedFor = max(1, now-(r.expiresAt-s.retention))
	}
	return as
}

// createdID returns the id of what the record's call created.
func (s *Store) createdID(r *record) string {
	return s.longIDs.text(&r.createdID, longID{of: r.place, created: true})
}

// place is where a record is: 0 is nowhere.
type place uint32

// chunk is how many records are allocated at a time.
const chunk = 128

// places are where the records are. A place that became free is for a later record: the
// memory of the most records that there were is kept.
type places struct {
	chunks []*[chunk]record
	last   place // that has had a record
	free   place // the first of those that are free again
}

// at returns the record at a place, nil for none.
func (ps *places) at(p place) *record {
	if p == 0 {
		return nil
	}
	return &ps.chunks[(p-1)/chunk][(p-1)%chunk]
}

// take returns an empty record at a place of its own.
func (ps *places) take() *record {
	if r := ps.at(ps.free); r != nil {
		ps.free, r.next = r.next, 0
		return r
	}
	if int(ps.last) == len(ps.chunks)*chunk {
		ps.chunks = append(ps.chunks, new([chunk]record))
	}
	ps.last++
	r := ps.at(ps.last)
	r.place = ps.last
	return r
}

// giveBack frees the place of a record, which is in no order.
func (ps *places) giveBack(r *record) {
	*r = record{place: r.place, next: ps.free}
	ps.free = r.place
}

// all returns the records. The one that was returned last may be given back meanwhile.
func (ps *places) all() iter.Seq[*record] {
	return func(yield func(*record) bool) {
		for p := range ps.last {
			if r := ps.at(p + 1); r.state != 0 && !yield(r) {
				return
			}
		}
	}
}
