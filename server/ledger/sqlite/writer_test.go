package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/test/await"
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

// A change waits for those that came before it, and what waits is counted until the writer
// takes it or its caller leaves.
func TestPool_ChangesThatWaitForTheWriter_AreCounted(t *testing.T) {
	s := newStore(t)
	before := s.Pool().Writes
	begun, release := make(chan struct{}), make(chan struct{})
	results := make(chan error, 3)
	do := func(ctx context.Context, apply func(*writer) error) {
		go func() { results <- s.writer.do(ctx, apply) }()
	}
	do(t.Context(), func(*writer) error { close(begun); <-release; return nil })
	<-begun
	none := func(*writer) error { return nil }
	leaving, leave := context.WithCancel(t.Context())
	do(t.Context(), none)
	do(leaving, none)
	waiting := func(n int) {
		t.Helper()
		err := await.Poll(await.Patience, nil, func() error {
			if got := s.Pool().Writes.Waiting; got != n {
				return fmt.Errorf("%d wait, want %d", got, n)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	waiting(2)
	leave()
	waiting(1)
	close(release)
	for range 3 {
		<-results
	}
	got := s.Pool().Writes
	if got.Waiting != 0 || got.Taken-before.Taken != 2 || got.Batches-before.Batches != 2 || got.Waited <= before.Waited {
		t.Errorf("before %+v, then %+v", before, got)
	}
}
