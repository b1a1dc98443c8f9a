package copies

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/trace"

	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
)

// flight is one call under way, which callers in this process may share.
// Its results may be read once done is closed.
type flight struct {
	fingerprint ledger.Digest
	// sent is closed when the request may have left for Diga: from then on the
	// flight continues without its caller.
	sent chan struct{}
	done chan struct{}

	created  resource
	replayed bool
	err      error
	ex       *exchange.Exchange
	span     trace.SpanContext // the zero one where the flight is not traced
	// abandoned means that the flight ended with its caller's time before anything
	// was sent. The error is that caller's alone: others who waited may try again.
	abandoned bool
	// refused means that the check of the flight's caller refused the call. Others who
	// waited and want no check may try again.
	refused bool
	// lost means that the claim ran out and that another process has it now, so the
	// record has to be read again.
	lost bool

	// attempt is only for the goroutine that carries the flight.
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

// flights are the flights under way, by the ledger's key.
type flights struct {
	mu    sync.Mutex
	byKey map[ledger.Digest]*flight
	wg    sync.WaitGroup
}

// join returns the key's flight. If mine is true, the flight is new, and the
// caller has to carry it and to finish it.
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

// finish hands a flight's results, which must be set, to those who wait for it.
func (fs *flights) finish(key ledger.Digest, f *flight) {
	fs.mu.Lock()
	delete(fs.byKey, key)
	fs.mu.Unlock()
	close(f.done)
}

// wait returns when all that flights began has ended, or when ctx ends.
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
