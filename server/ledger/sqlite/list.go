package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"github.com/digate/digate/server/ledger"
)

// HasKey implements [ledger.Store].
func (s *Store) HasKey(ctx context.Context, check ledger.Digest) error {
	if err := s.writer.identity.check(); err != nil {
		return err
	}
	var same bool
	err := s.readers.QueryRowContext(ctx, sqlKeyIs, sql.Named("digest", check[:])).Scan(&same)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !same {
		return ledger.ErrKey
	}
	return err
}

// List implements [ledger.Store]. It reads every record unless it looks for those in
// a state other than Done.
func (s *Store) List(ctx context.Context, q ledger.Query) (found []ledger.Record, err error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	if err := s.writer.identity.check(); err != nil {
		return nil, err
	}
	first, last, err := q.Keys()
	if err != nil {
		return nil, err
	}
	now, since := s.now().UnixMicro(), int64(math.MinInt64)
	if !q.Since.IsZero() {
		since = q.Since.UnixMicro()
	}
	rows, err := s.readers.QueryContext(ctx, sqlList+listed[q.State]+sqlListEnd, sql.Named("now", now), s.retentionArg(),
		sql.Named("since", since), sql.Named("first", first[:]), sql.Named("last", last[:]), sql.Named("parent", q.ParentID), sql.Named("limit", q.Limit))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		r, live, err := s.read(rows, now)
		if err != nil {
			return nil, err
		}
		if live {
			found = append(found, r)
		}
	}
	return found, rows.Err()
}

// Stats implements [ledger.Store].
func (s *Store) Stats(ctx context.Context) (stats ledger.Stats, _ error) {
	if err := s.writer.identity.check(); err != nil {
		return ledger.Stats{}, err
	}
	now := s.now().UnixMicro()
	var oldest sql.NullInt64
	n := &stats.Records
	err := s.stats.QueryRowContext(ctx, sql.Named("now", now), s.retentionArg(), sql.Named("most", ledger.MaxCounted)).
		Scan(&n[ledger.Done], &n[ledger.Claimed], &n[ledger.Sending], &n[ledger.Unknown], &oldest)
	if err != nil {
		return ledger.Stats{}, err
	}
	if oldest.Valid {
		stats.OldestDoubt = max(time.Microsecond, time.Duration(now-oldest.Int64)*time.Microsecond)
	}
	return stats, nil
}

// Pool implements [ledger.Store]: the connections that read. All changes go over one
// other connection, which is always there.
func (s *Store) Pool() ledger.Pool {
	of := s.readers.Stats()
	return ledger.Pool{InUse: of.InUse, Limit: of.MaxOpenConnections, Waits: uint64(of.WaitCount), Waited: of.WaitDuration, Writes: s.writer.load.read()}
}

// Room implements [ledger.Store].
func (s *Store) Room() ledger.Room { return ledger.Room{} }
