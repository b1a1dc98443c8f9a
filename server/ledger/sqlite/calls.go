package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/digate/digate/server/ledger"
)

// KeyCheck implements [ledger.Store].
func (s *Store) KeyCheck(ctx context.Context, check ledger.Digest) error {
	return s.writer.do(ctx, func(w *writer) error {
		if _, err := w.exec(sqlKeyCheck, sql.Named("digest", check[:])); err != nil {
			return err
		}
		var same bool
		err := w.statements[sqlKeyIs].QueryRow(sql.Named("digest", check[:])).Scan(&same)
		if err == nil && !same {
			err = ledger.ErrKey
		}
		return err
	})
}

// Claim implements [ledger.Store].
func (s *Store) Claim(ctx context.Context, c ledger.Claim) (ledger.Record, bool, error) {
	if err := c.Check(); err != nil {
		return ledger.Record{}, false, err
	}
	// Not a result of this method: the writer may still write to it after ctx ended.
	var r ledger.Record
	err := s.writer.do(ctx, func(w *writer) error {
		now := s.now().UnixMicro()
		_, err := w.exec(sqlClaim, sql.Named("key", c.Key[:]), sql.Named("fingerprint", c.Fingerprint[:]),
			sql.Named("template", c.ParentID), sql.Named("method", c.Method), sql.Named("token", c.Token[:]),
			sql.Named("lease", now+c.Lease.Microseconds()), sql.Named("now", now), s.retentionArg())
		if err != nil {
			return err
		}
		var found bool
		r, found, err = s.read(w.statements[sqlGet].QueryRow(sql.Named("key", c.Key[:])), now)
		if err == nil && !found {
			err = errors.New("ledger: neither claimed nor there")
		}
		return err
	})
	if err != nil {
		return ledger.Record{}, false, err
	}
	return r, r.State == ledger.Claimed && r.Token == c.Token, nil
}

// Get implements [ledger.Store].
func (s *Store) Get(ctx context.Context, key ledger.Digest) (ledger.Record, bool, error) {
	if err := ctx.Err(); err != nil {
		return ledger.Record{}, false, err
	}
	if err := s.writer.identity.check(); err != nil {
		return ledger.Record{}, false, err
	}
	return s.read(s.get.QueryRowContext(ctx, sql.Named("key", key[:])), s.now().UnixMicro())
}

// Renew implements [ledger.Store].
func (s *Store) Renew(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	return s.lease(ctx, sqlRenew, key, token, lease)
}

// MarkSending implements [ledger.Store].
func (s *Store) MarkSending(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	return s.lease(ctx, sqlMarkSending, key, token, lease)
}

func (s *Store) lease(ctx context.Context, statement string, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	if err := ledger.CheckLease(lease); err != nil {
		return err
	}
	return s.writer.do(ctx, func(w *writer) error {
		now := s.now().UnixMicro()
		return one(w.exec(statement, sql.Named("key", key[:]), sql.Named("token", token[:]),
			sql.Named("now", now), sql.Named("lease", now+lease.Microseconds())))
	})
}

// MarkDone implements [ledger.Store].
func (s *Store) MarkDone(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error {
	if err := ledger.CheckID(createdID); err != nil {
		return err
	}
	return s.settle(ctx, sqlMarkDone, key, token, sql.Named("integration", createdID))
}

// MarkUnknown implements [ledger.Store].
func (s *Store) MarkUnknown(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	return s.settle(ctx, sqlMarkUnknown, key, token)
}

// Release implements [ledger.Store].
func (s *Store) Release(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	return s.settle(ctx, sqlRelease, key, token)
}

// Resolve implements [ledger.Store].
func (s *Store) Resolve(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error {
	if createdID == "" {
		return s.settle(ctx, sqlForget, key, token)
	}
	if err := ledger.CheckID(createdID); err != nil {
		return err
	}
	return s.writer.do(ctx, func(w *writer) error {
		args := s.ofClaim(key, token, sql.Named("integration", createdID))
		var unknown, named bool
		// No other process writes between the two: the transaction has the file's lock.
		if err := w.statements[sqlMayResolve].QueryRow(args...).Scan(&unknown, &named); err != nil {
			return err
		}
		if unknown && named {
			return ledger.ErrNamed
		}
		return one(w.exec(sqlResolve, args...))
	})
}

func (s *Store) settle(ctx context.Context, statement string, key ledger.Digest, token ledger.Token, more ...any) error {
	return s.writer.do(ctx, func(w *writer) error {
		return one(w.exec(statement, s.ofClaim(key, token, more...)...))
	})
}

// ofClaim returns the arguments of a statement that settles a claim now.
func (s *Store) ofClaim(key ledger.Digest, token ledger.Token, more ...any) []any {
	return append([]any{sql.Named("key", key[:]), sql.Named("token", token[:]), sql.Named("now", s.now().UnixMicro()), s.retentionArg()}, more...)
}

// Named implements [ledger.Store].
func (s *Store) Named(ctx context.Context, createdIDs []string) (named []string, err error) {
	if err := ledger.CheckNamed(createdIDs); err != nil {
		return nil, err
	}
	if err := s.writer.identity.check(); err != nil {
		return nil, err
	}
	// No record names an id that cannot be kept.
	ids := slices.DeleteFunc(slices.Clone(createdIDs), func(id string) bool { return ledger.CheckID(id) != nil })
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	rows, err := s.named.QueryContext(ctx, sql.Named("ids", string(list)), sql.Named("now", s.now().UnixMicro()))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		named = append(named, id)
	}
	return named, rows.Err()
}

// Sweep implements [ledger.Store].
func (s *Store) Sweep(ctx context.Context, limit int) (int, error) {
	removed := make(chan int64, 1)
	err := s.writer.do(ctx, func(w *writer) error {
		args := []any{sql.Named("now", s.now().UnixMicro()), s.retentionArg(), sql.Named("limit", max(0, limit))}
		n, err := w.exec(sqlSweep, args...)
		if err != nil {
			return err
		}
		removed <- n
		_, err = w.exec(sqlSettle, args...)
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(<-removed), nil
}

// retentionArg returns the retention as the statements take it, in microseconds.
func (s *Store) retentionArg() sql.NamedArg {
	return sql.Named("retention", s.retention.Microseconds())
}

// one returns [ledger.ErrLost] unless a statement changed its record.
func one(n int64, err error) error {
	if err == nil && n != 1 {
		return ledger.ErrLost
	}
	return err
}

// read returns the row's record as it is now; found is false if there is none.
func (s *Store) read(row interface{ Scan(into ...any) error }, now int64) (r ledger.Record, found bool, err error) {
	var key, fingerprint, token []byte
	var state string
	var claimedAt, expiresAt int64
	var lapsedAt sql.NullInt64
	err = row.Scan(&key, &fingerprint, &r.ParentID, &state, &token, &r.CreatedID, &claimedAt, &expiresAt, &lapsedAt, &r.Method)
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Record{}, false, nil
	}
	if err != nil {
		return ledger.Record{}, false, err
	}
	if r.State, err = ledger.ParseState(state); err != nil {
		return ledger.Record{}, false, err
	}
	copy(r.Key[:], key)
	copy(r.Fingerprint[:], fingerprint)
	copy(r.Token[:], token)
	r.ClaimedAt = time.UnixMicro(claimedAt)
	if expiresAt <= now {
		if r.State != ledger.Sending || expiresAt <= now-s.retention.Microseconds() {
			return ledger.Record{}, false, nil
		}
		r.State, lapsedAt = ledger.Unknown, sql.NullInt64{Int64: expiresAt, Valid: true}
	}
	if r.State == ledger.Unknown && lapsedAt.Valid {
		r.LapsedFor = max(1, time.Duration(now-lapsedAt.Int64)*time.Microsecond)
	}
	return r, true, nil
}
