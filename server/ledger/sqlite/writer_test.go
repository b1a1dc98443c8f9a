package sqlite

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
)

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// batchOf returns a change that claims the key, and one after it that fails.
func batchOf(t *testing.T, s *Store, key ledger.Digest, failure error) []*change {
	t.Helper()
	claim := func(w *writer) error {
		_, err := w.exec(sqlClaim, claimArgs(s, key)...)
		return err
	}
	return []*change{
		{ctx: t.Context(), apply: claim, done: newDone()},
		{ctx: t.Context(), apply: func(*writer) error { return failure }, done: newDone()},
	}
}

func claimArgs(s *Store, key ledger.Digest) []any {
	now := s.now().UnixMicro()
	return append(s.ofClaim(key, ledger.Token{1}), sql.Named("fingerprint", key[:]), sql.Named("template", "t"), sql.Named("method", ""), sql.Named("lease", now+time.Hour.Microseconds()))
}

func TestCommit_RecordsRefuseOneChange_TheOthersAreMade(t *testing.T) {
	s := newStore(t)
	for i, refusal := range []error{ledger.ErrLost, ledger.ErrKey, ledger.ErrNamed} {
		key := ledger.Digest{byte(i)}
		batch := batchOf(t, s, key, refusal)
		if err := s.writer.commit(batch); err != nil || batch[0].err != nil || !errors.Is(batch[1].err, refusal) {
			t.Errorf("%v: got %v; %v, %v", refusal, err, batch[0].err, batch[1].err)
		}
		if _, found, err := s.Get(t.Context(), key); err != nil || !found {
			t.Errorf("%v: the other change: found %v, %v", refusal, found, err)
		}
	}
}

func TestCommit_OneChangeFails_NoneIsMadeAndTheNextBatchIs(t *testing.T) {
	s := newStore(t)
	failed := errors.New("disk I/O error")
	if err := s.writer.commit(batchOf(t, s, ledger.Digest{1}, failed)); !errors.Is(err, failed) {
		t.Errorf("got %v, want %v", err, failed)
	}
	if _, found, err := s.Get(t.Context(), ledger.Digest{1}); err != nil || found {
		t.Errorf("found %v, %v", found, err)
	}
	if err := s.writer.commit(batchOf(t, s, ledger.Digest{2}, nil)); err != nil {
		t.Errorf("the next batch: %v", err)
	}
}

// What was acknowledged survives the machine only if every commit is synced.
func TestOpen_Writer_SyncsEveryCommit(t *testing.T) {
	s := newStore(t)
	const full = 2
	var got int
	if err := s.writer.conn.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&got); err != nil || got != full {
		t.Errorf("got %d, %v, want %d", got, err, full)
	}
}
