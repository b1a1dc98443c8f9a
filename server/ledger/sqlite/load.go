package sqlite

import (
	"sync/atomic"
	"time"

	"github.com/digate/digate/server/ledger"
)

// load counts what waits for the writer, and what the writer took.
type load struct {
	waiting        atomic.Int64
	taken, batches atomic.Uint64
	waited         atomic.Int64 // in nanoseconds
}

// took counts the changes that the writer takes now.
func (l *load) took(batch []*change) {
	now, waited := time.Now(), time.Duration(0)
	for _, c := range batch {
		waited += now.Sub(c.came)
	}
	l.waited.Add(int64(waited))
	l.taken.Add(uint64(len(batch)))
	l.batches.Add(1)
}

// read returns what was counted.
func (l *load) read() *ledger.Writes {
	return &ledger.Writes{
		Waiting: int(l.waiting.Load()), Taken: l.taken.Load(), Batches: l.batches.Load(), Waited: time.Duration(l.waited.Load()),
	}
}
