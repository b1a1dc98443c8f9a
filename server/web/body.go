package web

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/intake"
)

// envelope is the length of the header of a message in an envelope, in bytes.
const envelope = 5

// body is the body of a request: one message, or several in envelopes. It takes memory
// for a message as that arrives. A sender that only claims to send much takes none.
type body struct {
	io.ReadCloser

	ctx   context.Context
	limit int64 // of a message
	// arrived, if set, is called when the whole body has arrived.
	arrived func()

	mu      sync.Mutex // a service may return while it receives
	memory  budget.Share
	arrival budget.Arrival  // of the message
	refused *apierror.Error // what Read failed with
	ended   bool
}

// next begins a message, and gives back the memory of the one before it.
func (b *body) next() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.memory.GiveBack()
	b.arrival = budget.Arrival{}
}

// end gives back the memory for good, and returns what Read failed with, nil for nothing.
func (b *body) end() *apierror.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.memory.GiveBack()
	return b.refused
}

// Read reads from the body. Its errors are connect-go's, with a verdict.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) && b.arrived != nil {
		b.arrived()
	}
	refused := b.take(int64(n))
	if refused == nil && err != nil && !errors.Is(err, io.EOF) {
		refused = b.broken(err)
	}
	if refused == nil {
		return n, err
	}
	if refused.Reason == apierror.ReasonRequestTooLarge {
		_, _ = io.CopyN(io.Discard, b.ReadCloser, intake.DropTimes*b.limit)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = refused
	return n, wireError(refused)
}

// take takes memory for bytes that arrived, and returns why the message is refused, nil
// where it is not.
func (b *body) take(n int64) *apierror.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.ended:
	case b.arrival.Bytes+n > intake.CompressedTimes*b.limit+envelope:
		b.arrival.Bytes += n // the next bytes are refused, too
		return apierror.RequestTooLarge(b.limit)
	case !b.arrival.Add(n, &b.memory):
		return apierror.Overloaded(time.Second)
	}
	return nil
}

// broken returns the error of a body that could not be read.
func (b *body) broken(err error) *apierror.Error {
	switch {
	case b.ctx.Err() != nil:
		return apierror.NotBegun(b.ctx.Err())
	case errors.Is(err, os.ErrDeadlineExceeded):
		if deadline, ok := b.ctx.Deadline(); ok && !time.Now().Before(deadline) {
			return apierror.NotBegun(context.DeadlineExceeded)
		}
	}
	return apierror.BodyIncomplete()
}
