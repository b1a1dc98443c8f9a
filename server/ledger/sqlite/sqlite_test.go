package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/ledgertest"
	"github.com/digate/digate/server/ledger/sqlite"
)

// clock is a clock that only moves when a test moves it.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(1_700_000_000, c.nanos.Load()) }

func open(t testing.TB, path string, o sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, o)
	return ledgertest.Opened(t, s, err)
}

func TestStore_Contract(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Harness {
		var c clock
		path := filepath.Join(t.TempDir(), "ledger.db")
		var lock func()
		return ledgertest.Harness{
			Open: func(t testing.TB) ledger.Store {
				return open(t, path, sqlite.Options{Retention: time.Hour, Now: c.now})
			},
			Retention: time.Hour,
			Advance:   func(_ testing.TB, d time.Duration) { c.nanos.Add(int64(d)) },
			Break:     func(t testing.TB) { lock = lockFile(t, path) },
			Mend:      func(testing.TB) { lock() },
		}
	})
}

// lockFile takes the file's lock, and returns the function that releases it.
func lockFile(t testing.TB, path string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkStore(b *testing.B) {
	ledgertest.Benchmark(b, open(b, filepath.Join(b.TempDir(), "ledger.db"), sqlite.Options{}))
}
