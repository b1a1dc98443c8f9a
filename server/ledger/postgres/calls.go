package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/digate/digate/server/ledger"
)

// errTurmoil means that at each look at one key, claims of it came and went.
var errTurmoil = errors.New("ledger: the key's record changes all the time")

// KeyCheck implements [ledger.Store].
func (s *Store) KeyCheck(ctx context.Context, check ledger.Digest) error {
	var stored []byte
	err := s.try(ctx, true, func() error {
		return s.pool.QueryRow(ctx, sqlKeyCheck, check[:]).Scan(&stored)
	})
	if err == nil && !bytes.Equal(stored, check[:]) {
		err = ledger.ErrKey
	}
	return err
}

// Claim implements [ledger.Store].
func (s *Store) Claim(ctx context.Context, c ledger.Claim) (ledger.Record, bool, error) {
	if err := c.Check(); err != nil {
		return ledger.Record{}, false, err
	}
	for range 10 {
		r, found, err := s.read(ctx, sqlClaim, c.Key[:], s.retention, c.Fingerprint[:], c.ParentID, c.Token[:], c.Lease.Microseconds(), c.Method)
		if err != nil {
			return ledger.Record{}, false, err
		}
		if found {
			return r, r.State == ledger.Claimed && r.Token == c.Token, nil
		}
	}
	return ledger.Record{}, false, errTurmoil
}

// Get implements [ledger.Store].
func (s *Store) Get(ctx context.Context, key ledger.Digest) (ledger.Record, bool, error) {
	return s.read(ctx, sqlGet, key[:], s.retention)
}

// read returns the record that the statement returns; found is false if it returns
// none.
func (s *Store) read(ctx context.Context, statement string, args ...any) (r ledger.Record, found bool, err error) {
	err = s.try(ctx, true, func() (err error) {
		r, err = record(s.pool.QueryRow(ctx, statement, args...))
		found = !errors.Is(err, pgx.ErrNoRows)
		if !found {
			return nil
		}
		return err
	})
	if err != nil || !found {
		return ledger.Record{}, false, err
	}
	return r, true, nil
}

// record returns the record of a row of [sqlLives].
func record(row pgx.Row) (r ledger.Record, err error) {
	var key, fingerprint, token []byte
	var state string
	var lapsed *int64 // microseconds
	err = row.Scan(&key, &fingerprint, &r.ParentID, &state, &token, &r.CreatedID, &r.ClaimedAt, &lapsed, &r.Method)
	if err != nil {
		return ledger.Record{}, err
	}
	if r.State, err = ledger.ParseState(state); err != nil {
		return ledger.Record{}, err
	}
	if lapsed != nil {
		r.LapsedFor = max(1, time.Duration(*lapsed)*time.Microsecond)
	}
	copy(r.Key[:], key)
	copy(r.Fingerprint[:], fingerprint)
	copy(r.Token[:], token)
	return r, nil
}

// Renew implements [ledger.Store].
func (s *Store) Renew(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	if err := ledger.CheckLease(lease); err != nil {
		return err
	}
	return s.change(ctx, true, sqlRenew, key[:], token[:], lease.Microseconds())
}

// MarkSending implements [ledger.Store].
func (s *Store) MarkSending(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error {
	if err := ledger.CheckLease(lease); err != nil {
		return err
	}
	return s.change(ctx, false, sqlMarkSending, key[:], token[:], lease.Microseconds())
}

// MarkDone implements [ledger.Store].
func (s *Store) MarkDone(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error {
	if err := ledger.CheckID(createdID); err != nil {
		return err
	}
	return s.change(ctx, true, sqlMarkDone, key[:], token[:], s.retention, createdID)
}

// MarkUnknown implements [ledger.Store].
func (s *Store) MarkUnknown(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	return s.change(ctx, true, sqlMarkUnknown, key[:], token[:], s.retention)
}

// Release implements [ledger.Store].
func (s *Store) Release(ctx context.Context, key ledger.Digest, token ledger.Token) error {
	return s.change(ctx, false, sqlRelease, key[:], token[:], s.retention)
}

// Resolve implements [ledger.Store].
func (s *Store) Resolve(ctx context.Context, key ledger.Digest, token ledger.Token, createdID string) error {
	if createdID == "" {
		return s.change(ctx, false, sqlForget, key[:], token[:], s.retention)
	}
	if err := ledger.CheckID(createdID); err != nil {
		return err
	}
	var verdict error
	err := s.try(ctx, false, func() error {
		err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
			return s.name(ctx, tx, key, token, createdID)
		})
		if verdict = nil; errors.Is(err, ledger.ErrLost) || errors.Is(err, ledger.ErrNamed) {
			verdict, err = err, nil
		}
		return err
	})
	return errors.Join(err, verdict)
}

// name moves a record from Unknown to Done, unless another record names the
// integration. Calls that name the same integration take turns by a lock: a
// statement sees what was committed before it began, and theirs begin with the lock
// held.
func (s *Store) name(ctx context.Context, tx pgx.Tx, key ledger.Digest, token ledger.Token, createdID string) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockOf(createdID)); err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, sqlResolve, key[:], token[:], s.retention, createdID)
	if err == nil && tag.RowsAffected() != 1 {
		err = ledger.ErrLost
	}
	if err != nil {
		return err
	}
	var named bool
	if err := tx.QueryRow(ctx, sqlNamedByOther, createdID, key[:]).Scan(&named); err != nil {
		return err
	}
	if named {
		return ledger.ErrNamed
	}
	return nil
}

// lockOf returns the advisory lock of the integration's name. Two integrations may
// share one, which does no harm.
func lockOf(createdID string) int64 {
	sum := sha256.Sum256([]byte("digate integration " + createdID))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// change runs a statement that changes one record. If it changes none, the claim is
// lost.
func (s *Store) change(ctx context.Context, repeatable bool, statement string, args ...any) error {
	var changed int64
	err := s.try(ctx, repeatable, func() error {
		tag, err := s.pool.Exec(ctx, statement, args...)
		changed = tag.RowsAffected()
		return err
	})
	if err == nil && changed != 1 {
		err = ledger.ErrLost
	}
	return err
}

// Named implements [ledger.Store].
func (s *Store) Named(ctx context.Context, createdIDs []string) (named []string, err error) {
	if err := ledger.CheckNamed(createdIDs); err != nil {
		return nil, err
	}
	// No record names an id that cannot be kept.
	ids := slices.DeleteFunc(slices.Clone(createdIDs), func(id string) bool { return ledger.CheckID(id) != nil })
	err = s.try(ctx, true, func() error {
		// A failed query returns its error with its rows.
		rows, _ := s.pool.Query(ctx, sqlNamed, ids)
		named, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return named, err
}

// Sweep implements [ledger.Store].
func (s *Store) Sweep(ctx context.Context, limit int) (removed int, err error) {
	err = s.try(ctx, false, func() error {
		return s.pool.QueryRow(ctx, sqlSweep, max(0, limit), s.retention).Scan(&removed)
	})
	return removed, err
}
