package bulk

import (
	"context"
	"errors"
	"io"
	"maps"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

type copyStream = grpc.BidiStreamingClient[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse]

var errNoResponse = errors.New("the server does not respond")

// maxPerStream is how many items are sent on one stream. Servers bound it.
const maxPerStream = 10_000

// stream opens a stream and sends an item on it, and other items as they come.
// The stream ends when
//   - no item is left,
//   - an item must be sent again, because a stream takes each request id once,
//   - the server wants to end the connection, or
//   - ctx has ended.
//
// If the stream ends and owes responses, stream returns an error, and the items
// are back in the queue.
func (r *runner) stream(ctx, work context.Context, it *item) (err error) {
	work, cancel := context.WithCancelCause(metadata.NewOutgoingContext(work, r.conn.md))
	defer func() { cancel(nil) }()
	stream, err := r.conn.client.BulkCopyTemplate(work)
	if err != nil {
		r.queue = append(r.queue, it)
		return err
	}
	// The channel has room for every response that is owed, so that receiving
	// never waits for sending.
	responses, over := make(chan *integrationv1.BulkCopyTemplateResponse, r.window+1), make(chan error, 1)
	go func() { over <- receive(work, stream, responses) }()
	silence := time.AfterFunc(r.stall, func() { cancel(errNoResponse) })
	defer silence.Stop()

	stopped, closing, sent := ctx.Done(), false, 0
	end := func() {
		if !closing {
			closing = true
			_ = stream.CloseSend() // receive gets the error, if there is one
		}
	}
	for {
		if it != nil {
			sent++
			if !r.send(stream, it) {
				closing = true // the stream is over, and receive gets the error
			}
			it = nil
		}
		if !closing && ctx.Err() == nil && len(r.queue) > 0 {
			it = r.dequeue()
			continue
		}
		if r.rows == nil || sent >= maxPerStream {
			end()
		}
		var rows <-chan *row
		var due <-chan time.Time
		var leaving <-chan struct{}
		if !closing {
			rows, due, leaving = r.source(), r.nextDue(), r.conn.leaving
		}
		select {
		case next, ok := <-rows:
			it = r.take(next, ok)
		case <-due:
			end()
		case <-leaving:
			end()
		case <-stopped:
			stopped = nil
			r.report.interrupted(context.Cause(ctx), len(r.pending), r.grace)
			end()
		case resp, ok := <-responses:
			if !ok {
				return r.ended(work, <-over)
			}
			silence.Reset(r.stall)
			r.received(work, resp)
		}
	}
}

// receive passes responses on and returns how the stream ended.
func receive(ctx context.Context, stream copyStream, to chan<- *integrationv1.BulkCopyTemplateResponse) error {
	defer close(to)
	for {
		resp, err := stream.Recv()
		if err != nil {
			return err
		}
		select {
		case to <- resp:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// send sends an item and reports whether the stream can take another one. An item
// that the ledger may have forgotten is settled and not sent.
func (r *runner) send(stream copyStream, it *item) bool {
	now := r.now().Round(0)
	if r.mayBeForgotten(it, now) {
		r.settle(it, func(res *rowResult) {
			res.Outcome, res.Code, res.Reason = rowUnknown, "UNKNOWN", reasonRetentionPassed
			res.Message = "not sent again: it may have been done, and the ledger may have forgotten it. `digate integrations list` shows whether it was done"
		})
		return true
	}
	if it.sent.IsZero() {
		it.sent = now
	}
	it.onStream = true
	it.sends++
	return stream.Send(&integrationv1.BulkCopyTemplateRequest{Copy: it.row.copy}) == nil
}

// received takes a response. It ignores a response to an item that was not sent.
func (r *runner) received(ctx context.Context, resp *integrationv1.BulkCopyTemplateResponse) {
	it := r.pending[resp.GetRequestId()]
	if it == nil || !it.onStream {
		return
	}
	it.onStream = false
	r.responses++
	switch outcome := resp.GetOutcome().(type) {
	case *integrationv1.BulkCopyTemplateResponse_Integration:
		r.settle(it, func(res *rowResult) {
			res.Outcome, res.IntegrationID, res.Missing = rowDone, outcome.Integration.GetId(), missingIn(outcome.Integration)
			if resp.GetReplayed() {
				res.Outcome = rowReplayed
			}
		})
	case *integrationv1.BulkCopyTemplateResponse_Error:
		e := apierror.FromStatus(status.FromProto(outcome.Error))
		if e == nil { // the status was OK
			e = noOutcome()
		}
		r.failed(ctx, it, e)
	default:
		r.failed(ctx, it, noOutcome())
	}
}

// noOutcome returns the error for a response that does not say what was done.
func noOutcome() *apierror.Error {
	return &apierror.Error{Code: codes.Unknown, Reason: reasonNoResponse, Outcome: exchange.Unknown, Message: "the response does not say what was done"}
}

// ended puts the items for which the stream owes a response back into the queue.
func (r *runner) ended(stream context.Context, err error) error {
	owed := 0
	for _, it := range byLine(maps.Values(r.pending)) {
		if it.onStream {
			it.onStream = false
			owed++
			r.queue = append(r.queue, it)
		}
	}
	switch cause := context.Cause(stream); {
	case owed == 0:
		return nil
	case errors.Is(cause, errNoResponse):
		return cause
	case errors.Is(err, io.EOF):
		return errNoResponse
	default:
		return err
	}
}
