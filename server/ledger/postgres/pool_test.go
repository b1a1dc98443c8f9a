package postgres

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/ledgertest"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
	"github.com/digate/digate/test/await"
)

func TestParse_PoolSize_IsTheURLsOrEnough(t *testing.T) {
	for url, want := range map[string]int32{
		"postgres://u@h/db": defaultConns,
		"postgres://u@h/db?sslmode=disable&pool_max_conns=3": 3,
	} {
		config, err := parse(url)
		if err != nil || config.MaxConns != want {
			t.Errorf("%s: %v, want %d connections: %+v", url, err, want, config)
		}
	}
}

// A pool that is too small shows by the time for which calls wait for a connection.
func TestPool_CallThatWaitsForAConnection_IsCountedWithItsTime(t *testing.T) {
	s, err := Open(t.Context(), pgtest.Start(t).URL()+"&pool_max_conns=1", Options{Retention: time.Hour})
	ledgertest.Opened(t, s, err)
	held, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := s.Pool()
	if before.InUse != 1 || before.Limit != 1 {
		t.Fatalf("the transaction does not hold the only connection: %+v", before)
	}
	waits, result := make(chan struct{}), make(chan error, 1)
	go func() {
		_, _, err := s.Get(waiting{t.Context(), sync.OnceFunc(func() { close(waits) })}, ledger.Digest{1})
		result <- err
	}()
	await.Value(t, waits, "a call that waits for a connection")
	if err := held.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := await.Value(t, result, "the call's result"); err != nil {
		t.Fatal(err)
	}
	if got := s.Pool(); got.Waits != before.Waits+1 || got.Waited <= before.Waited || got.InUse != 0 {
		t.Errorf("before %+v, then %+v", before, got)
	}
}

// waiting is a context that tells when somebody waits for a semaphore, as the pool does
// for a connection.
type waiting struct {
	context.Context
	waits func()
}

func (w waiting) Done() <-chan struct{} {
	callers := make([]uintptr, 4)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	if caller, _ := frames.Next(); strings.HasSuffix(caller.Function, "semaphore.(*Weighted).Acquire") {
		w.waits()
	}
	return w.Context.Done()
}
