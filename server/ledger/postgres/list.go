package postgres

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/digate/digate/server/ledger"
)

// HasKey implements [ledger.Store].
func (s *Store) HasKey(ctx context.Context, check ledger.Digest) error {
	var stored []byte
	err := s.try(ctx, true, func() error {
		err := s.pool.QueryRow(ctx, sqlKeyIs).Scan(&stored)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	if err == nil && !bytes.Equal(stored, check[:]) {
		err = ledger.ErrKey
	}
	return err
}

// List implements [ledger.Store]. It reads every record unless it looks for those in
// a state other than Done.
func (s *Store) List(ctx context.Context, q ledger.Query) (found []ledger.Record, err error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	first, last, err := q.Keys()
	if err != nil {
		return nil, err
	}
	statement, state, since := sqlList, "", int64(0)
	if q.State != 0 {
		state = q.State.String()
	}
	if q.State != 0 && q.State != ledger.Done {
		statement += sqlListOpen
	}
	if !q.Since.IsZero() {
		since = q.Since.UnixMicro()
	}
	err = s.try(ctx, true, func() error {
		// A failed query returns its error with its rows.
		rows, _ := s.pool.Query(ctx, statement+sqlListEnd, state, s.retention, q.ParentID, since, q.Limit, first[:], last[:])
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (ledger.Record, error) { return record(row) })
		return err
	})
	return found, err
}

// Stats implements [ledger.Store].
func (s *Store) Stats(ctx context.Context) (stats ledger.Stats, err error) {
	n := &stats.Records
	var oldest *int64 // microseconds
	err = s.try(ctx, true, func() error {
		return s.pool.QueryRow(ctx, sqlStats, ledger.MaxCounted, s.retention).
			Scan(&n[ledger.Done], &n[ledger.Claimed], &n[ledger.Sending], &n[ledger.Unknown], &oldest)
	})
	if err != nil {
		return ledger.Stats{}, err
	}
	if oldest != nil {
		stats.OldestDoubt = max(time.Microsecond, time.Duration(*oldest)*time.Microsecond)
	}
	return stats, nil
}

// Pool implements [ledger.Store].
func (s *Store) Pool() ledger.Pool {
	of := s.pool.Stat()
	return ledger.Pool{InUse: int(of.AcquiredConns()), Limit: int(of.MaxConns()), Waits: uint64(of.EmptyAcquireCount()), Waited: of.EmptyAcquireWaitTime()}
}

// Room implements [ledger.Store].
func (s *Store) Room() ledger.Room { return ledger.Room{} }
