package watch

import (
	"context"
	"time"

	"github.com/digate/digate/server/ledger"
)

// Operations are the names of the calls that are observed.
var Operations = []string{
	"claim", "get", "renew", "mark_sending", "mark_done", "mark_unknown", "release", "resolve", "named", "sweep", "list", "stats",
}

// Claim implements [ledger.Store].
func (s *Store) Claim(ctx context.Context, c ledger.Claim) (ledger.Record, bool, error) {
	began := time.Now()
	r, mine, err := s.Store.Claim(ctx, c)
	s.done(ctx, "claim", began, err)
	s.room.claimed.Add(1)
	if err != nil && s.cfg.Cause(err) == ledger.Full {
		s.room.refused(err)
	}
	return r, mine, err
}

// Get implements [ledger.Store].
func (s *Store) Get(ctx context.Context, key ledger.Digest) (ledger.Record, bool, error) {
	began := time.Now()
	r, found, err := s.Store.Get(ctx, key)
	s.done(ctx, "get", began, err)
	return r, found, err
}

// Renew implements [ledger.Store].
func (s *Store) Renew(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	began := time.Now()
	err := s.Store.Renew(ctx, key, token, lease)
	s.done(ctx, "renew", began, err)
	return err
}

// MarkSending implements [ledger.Store].
func (s *Store) MarkSending(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	began := time.Now()
	err := s.Store.MarkSending(ctx, key, token, lease)
	s.done(ctx, "mark_sending", began, err)
	return err
}

// MarkDone implements [ledger.Store].
func (s *Store) MarkDone(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error {
	began := time.Now()
	err := s.Store.MarkDone(ctx, key, token, createdID)
	s.done(ctx, "mark_done", began, err)
	return err
}

// MarkUnknown implements [ledger.Store].
func (s *Store) MarkUnknown(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	began := time.Now()
	err := s.Store.MarkUnknown(ctx, key, token)
	s.done(ctx, "mark_unknown", began, err)
	return err
}

// Release implements [ledger.Store].
func (s *Store) Release(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	began := time.Now()
	err := s.Store.Release(ctx, key, token)
	s.done(ctx, "release", began, err)
	return err
}

// Resolve implements [ledger.Store].
func (s *Store) Resolve(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error {
	began := time.Now()
	err := s.Store.Resolve(ctx, key, token, createdID)
	s.done(ctx, "resolve", began, err)
	return err
}

// Named implements [ledger.Store].
func (s *Store) Named(ctx context.Context, createdIDs []string) ([]string, error) {
	began := time.Now()
	named, err := s.Store.Named(ctx, createdIDs)
	s.done(ctx, "named", began, err)
	return named, err
}

// Sweep implements [ledger.Store].
func (s *Store) Sweep(ctx context.Context, limit int) (int, error) {
	began := time.Now()
	removed, err := s.Store.Sweep(ctx, limit)
	s.done(ctx, "sweep", began, err)
	return removed, err
}

// List implements [ledger.Store].
func (s *Store) List(ctx context.Context, q ledger.Query) ([]ledger.Record, error) {
	began := time.Now()
	found, err := s.Store.List(ctx, q)
	s.done(ctx, "list", began, err)
	return found, err
}

// Stats implements [ledger.Store].
func (s *Store) Stats(ctx context.Context) (ledger.Stats, error) {
	began := time.Now()
	stats, err := s.Store.Stats(ctx)
	s.done(ctx, "stats", began, err)
	return stats, err
}
