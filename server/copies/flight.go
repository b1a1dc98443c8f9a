package copies

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/trace"

	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
)

// flight is a call in progress, which several callers in this process may wait for. Its
// results may be read once done is closed.
type flight struct {
	fingerprint ledger.Digest
	// sent is closed when the request may have left for Diga. After that, the flight
	// continues without its caller.
	sent chan struct{}
	done chan struct{}

	created  resource
	replayed bool
	err      error
	ex       *exchange.Exchange
	span     trace.SpanContext // zero if the flight is not traced
	// abandoned means that the flight ended before anything was sent, because its
	// caller's time was over. The error applies only to that caller: others that waited
	// may try again.
	abandoned bool
	// refused means that the check of the flight's caller refused the call. Others that
	// waited and have no check may try again.
	refused bool
	// lost means that the claim expired and another process has it now, so the record
	// must be read again.
	lost bool

	// attempt is used only by the goroutine that runs the flight.
	attempt attempt
}

// isSent reports whether the request may have left for Diga.
func (f *flight) isSent() bool {
	select {
	case <-f.sent:
		return true
	default:
		return false
	}
}

// flights are the flights in progress, by ledger key.
type flights struct {
	mu    sync.Mutex
	byKey map[ledger.Digest]*flight
	wg    sync.WaitGroup
}

// join returns the flight for the key. If mine is true, the flight is new, and the caller
// must run and finish it.
func (fs *flights) join(key, fingerprint ledger.Digest) (f *flight, mine bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.byKey[key]; f != nil {
		return f, false
	}
	f = &flight{fingerprint: fingerprint, sent: make(chan struct{}), done: make(chan struct{})}
	fs.byKey[key] = f
	fs.wg.Add(1)
	return f, true
}

// finish gives a flight's results to everyone who waits for it. The results must be set.
func (fs *flights) finish(key ledger.Digest, f *flight) {
	fs.mu.Lock()
	delete(fs.byKey, key)
	fs.mu.Unlock()
	close(f.done)
}

// wait returns when all goroutines of the flights have ended, or when ctx ends.
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
