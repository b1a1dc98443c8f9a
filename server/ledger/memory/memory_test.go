package memory_test

import (
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/ledgertest"
	"github.com/digate/digate/server/ledger/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that only moves when a test moves it.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(1_700_000_000, c.nanos.Load()) }

func TestStore_Contract(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledgertest.Harness {
		var c clock
		s := memory.New(memory.Options{Retention: time.Hour, Now: c.now})
		return ledgertest.Harness{
			Open:      func(testing.TB) ledger.Store { return s },
			Retention: time.Hour,
			Advance:   func(_ testing.TB, d time.Duration) { c.nanos.Add(int64(d)) },
		}
	})
}

func BenchmarkStore(b *testing.B) {
	// A short retention at this rate makes as many records as a long one at the rate
	// of a real ledger.
	ledgertest.Benchmark(b, memory.New(memory.Options{Retention: 100 * time.Millisecond}))
}
