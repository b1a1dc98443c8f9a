package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/digate/digate/server/ledger"
)

// HasKey implements [ledger.Store].
func (s *Store) HasKey(ctx context.Context, check ledger.Digest) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.check == nil || *s.check != check {
		return ledger.ErrKey
	}
	return nil
}

// List implements [ledger.Store]. It looks at every record, and holds up the other
// calls meanwhile: 50 ms for a million.
func (s *Store) List(ctx context.Context, q ledger.Query) ([]ledger.Record, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found := s.find(q)
	slices.SortFunc(found, func(a, b ledger.Record) int {
		return cmp.Or(b.ClaimedAt.Compare(a.ClaimedAt), slices.Compare(a.Key[:], b.Key[:]))
	})
	return found[:min(len(found), q.Limit)], nil
}

// find returns all records that the query matches, in no order.
func (s *Store) find(q ledger.Query) (found []ledger.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	rest := q // all but the id, which is a text only in a record that is shown
	rest.ParentID = ""
	for r := range s.places.all() {
		if s.expire(r, now) || !rest.Matches(s.brief(r, now)) {
			continue
		}
		if as := s.show(r, now); q.Matches(as) {
			found = append(found, as)
		}
	}
	return found
}

// Stats implements [ledger.Store]. It counts every record, and looks at those in
// doubt.
func (s *Store) Stats(ctx context.Context) (stats ledger.Stats, _ error) {
	if err := ctx.Err(); err != nil {
		return ledger.Stats{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.sweep(now, claimSweep)
	stats.Records[ledger.Claimed] = s.claimed
	stats.Records[ledger.Sending] = s.leased.Len() - s.claimed
	stats.Records[ledger.Done] = s.done.Len()
	stats.Records[ledger.Unknown] = s.unknown.Len()
	for r := s.places.at(s.unknown.first); r != nil; r = s.places.at(r.next) {
		stats.OldestDoubt = max(stats.OldestDoubt, time.Microsecond, now-r.claimedAt)
	}
	return stats, nil
}

// Pool implements [ledger.Store].
func (s *Store) Pool() ledger.Pool { return ledger.Pool{} }

// Room implements [ledger.Store].
func (s *Store) Room() ledger.Room {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ledger.Room{Records: len(s.records), Limit: s.most, Full: s.full, Share: s.callers.refused}
}
