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

// envelope is the length of the header before each message in a stream, in bytes.
const envelope = 5

// body is the body of a request: one message, or several in envelopes. It reserves memory
// for a message as the message arrives. A sender that only announces a large message
// reserves none.
type body struct {
	io.ReadCloser

	ctx   context.Context
	limit int64 // of a message
	// arrived, if set, is called when the whole body has arrived.
	arrived func()

	mu      sync.Mutex // a service may return during a receive
	memory  budget.Share
	arrival budget.Arrival  // of the message
	refused *apierror.Error // the error of Read
	ended   bool
}

// next begins a message, and releases the memory of the previous one.
func (b *body) next() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.memory.GiveBack()
	b.arrival = budget.Arrival{}
}

// end releases the memory, and returns the error of Read, or nil.
func (b *body) end() *apierror.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.memory.GiveBack()
	return b.refused
}

// Read reads from the body. Its errors are connect-go's and wrap an error with an
// outcome.
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

// take reserves memory for bytes that have arrived. It returns an error if the message
// must be refused.
func (b *body) take(n int64) *apierror.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.ended:
	case b.arrival.Bytes+n > intake.CompressedTimes*b.limit+envelope:
		b.arrival.Bytes += n // the next bytes are refused too
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
