package telemetry

import (
	"log/slog"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/watch"
)

type seenLedger watch.Health

func (h seenLedger) Health() watch.Health { return watch.Health(h) }

func TestWatchLedger_EachNumber_IsUnderItsOwnName(t *testing.T) {
	t.Parallel()
	tel := New(slog.New(slog.DiscardHandler), nil, time.Minute)
	tel.WatchLedger(seenLedger{
		LookedAt: time.Now(), Lost: ledger.Timeout,
		Stats: ledger.Stats{
			Records:     [...]int{ledger.Claimed: 1, ledger.Sending: 2, ledger.Done: 3, ledger.Unknown: 4},
			OldestDoubt: 5 * time.Second,
		},
		Pool: ledger.Pool{
			InUse: 6, Limit: 7, Waits: 8, Waited: 9500 * time.Millisecond,
			Writes: &ledger.Writes{Waiting: 10, Taken: 11, Batches: 12, Waited: 13500 * time.Millisecond},
		},
		Room: ledger.Room{Records: 14, Limit: 15, Full: 16, Share: 17},
	})
	wants(t, scrape(tel),
		"digate_ledger_up 0\n",
		"digate_ledger_records{state=\"claimed\"} 1\n", "digate_ledger_records{state=\"sending\"} 2\n",
		"digate_ledger_records{state=\"done\"} 3\n", "digate_ledger_records{state=\"unknown\"} 4\n",
		"digate_ledger_oldest_doubt_seconds 5\n",
		"digate_ledger_connections_in_use 6\n", "digate_ledger_connections_limit 7\n",
		"digate_ledger_connection_waits_total 8\n", "digate_ledger_connection_wait_seconds_total 9.5\n",
		"digate_ledger_writes_queued 10\n", "digate_ledger_writes_total 11\n",
		"digate_ledger_write_batches_total 12\n", "digate_ledger_write_wait_seconds_total 13.5\n",
		"digate_ledger_memory_records 14\n", "digate_ledger_memory_records_limit 15\n",
		"digate_ledger_memory_records_refused_total{bound=\"all\"} 16\n", "digate_ledger_memory_records_refused_total{bound=\"caller\"} 17\n",
	)
}
