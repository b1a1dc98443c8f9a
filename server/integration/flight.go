package integration

import (
	"context"
	"sync"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
)

// flight is one copy with a request id on its way, and all who wait for it in
// this process. What it came to may be read when done is closed.
type flight struct {
	fingerprint ledger.Digest
	// sent is closed when it may have left for the vendor: from then on it goes
	// on without its caller.
	sent chan struct{}
	done chan struct{}

	integration *integrationv1.Integration
	replayed    bool
	err         error
	ex          *exchange.Exchange
	// abandoned says that it ended with its caller's time, before anything was
	// sent: it says nothing to those who waited for it. lost says that another
	// process has its claim now, which had run out: what became of the copy is for
	// another look.
	abandoned, lost bool
}

// flights are those under way, by the ledger's key.
type flights struct {
	mu sync.Mutex
	by map[ledger.Digest]*flight
	wg sync.WaitGroup
}

// join returns the key's flight, and whether it is a new one, which the caller
// has to bring to its end.
func (fs *flights) join(key, fingerprint ledger.Digest) (f *flight, mine bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.by[key]; f != nil {
		return f, false
	}
	f = &flight{fingerprint: fingerprint, sent: make(chan struct{}), done: make(chan struct{})}
	fs.by[key] = f
	fs.wg.Add(1)
	return f, true
}

// land ends a flight. What it came to must be set.
func (fs *flights) land(key ledger.Digest, f *flight) {
	fs.mu.Lock()
	delete(fs.by, key)
	fs.mu.Unlock()
	close(f.done)
}

// wait waits for everything that flights began.
func (fs *flights) wait(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		fs.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}
