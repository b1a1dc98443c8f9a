package main

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

type bulkClientStream = grpc.BidiStreamingClient[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse]

var errNoAnswer = errors.New("the server answers nothing")

// maxPerStream is how many items a stream takes: servers bound it.
const maxPerStream = 10_000

// converse sends an item, and others while there are any, on a stream of its
// own. It ends the stream when nothing is left to send, an item is to be sent
// again (a stream takes each request id once), the server wants to end the
// connection, or the context has ended. It returns an error where the stream
// owes an answer; what it owes is in the queue then.
func (r *bulkRun) converse(ctx, work context.Context, it *bulkItem) (err error) {
	work, cancel := context.WithCancelCause(metadata.NewOutgoingContext(work, r.link.md))
	defer func() { cancel(nil) }()
	stream, err := r.link.client.BulkCopyTemplate(work)
	if err != nil {
		r.queue = append(r.queue, it)
		return err
	}
	// There is room for every answer that is owed, so that receiving never waits
	// for sending.
	answers, over := make(chan *integrationv1.BulkCopyTemplateResponse, r.window+1), make(chan error, 1)
	go func() { over <- receive(work, stream, answers) }()
	silence := time.AfterFunc(r.stall, func() { cancel(errNoAnswer) })
	defer silence.Stop()

	stopped, closing, sent := ctx.Done(), false, 0
	end := func() {
		if !closing {
			closing = true
			_ = stream.CloseSend() // receiving tells of what is wrong
		}
	}
	for {
		if it != nil {
			sent++
			if !r.put(stream, it) {
				closing = true // the stream is over, and receiving says why
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
		var rows <-chan *bulkRow
		var due <-chan time.Time
		var leaving <-chan struct{}
		if !closing {
			rows, due, leaving = r.source(), r.nextDue(), r.link.leaving
		}
		select {
		case row, ok := <-rows:
			it = r.take(row, ok)
		case <-due:
			end()
		case <-leaving:
			end()
		case <-stopped:
			stopped = nil
			r.report.interrupted(context.Cause(ctx), len(r.pending), r.grace)
			end()
		case resp, ok := <-answers:
			if !ok {
				return r.ended(work, <-over)
			}
			silence.Reset(r.stall)
			r.answer(resp)
		}
	}
}

// receive hands over what comes, and returns how the stream ended.
func receive(ctx context.Context, stream bulkClientStream, to chan<- *integrationv1.BulkCopyTemplateResponse) error {
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

// put sends an item, and says whether the stream can take another one. One that
// the ledger may have forgotten is not sent.
func (r *bulkRun) put(stream bulkClientStream, it *bulkItem) bool {
	now := time.Now().Round(0)
	late := r.job.resumed && !now.Before(r.job.until()) ||
		!it.sent.IsZero() && now.Sub(it.sent) >= r.job.retention()-r.job.margin()
	if late {
		r.settle(it, func(result *bulkResult) {
			result.Outcome, result.Code, result.Reason = rowUnknown, "UNKNOWN", reasonMayBeForgot
			result.Message = "not asked for: it may have been done, and the ledger may have forgotten it"
		})
		return true
	}
	if it.sent.IsZero() {
		it.sent = now
	}
	it.onStream = true
	return stream.Send(&integrationv1.BulkCopyTemplateRequest{Copy: it.row.copy}) == nil
}

// answer takes a message of the server's. What was not asked for is no answer.
func (r *bulkRun) answer(resp *integrationv1.BulkCopyTemplateResponse) {
	it := r.pending[resp.GetRequestId()]
	if it == nil || !it.onStream {
		return
	}
	it.onStream = false
	r.answers++
	switch outcome := resp.GetOutcome().(type) {
	case *integrationv1.BulkCopyTemplateResponse_Integration:
		r.settle(it, func(result *bulkResult) {
			result.Outcome, result.IntegrationID = rowDone, outcome.Integration.GetId()
			if resp.GetReplayed() {
				result.Outcome = rowReplayed
			}
		})
	case *integrationv1.BulkCopyTemplateResponse_Error:
		e := apierror.FromStatus(status.FromProto(outcome.Error))
		if e == nil { // of an error that is none
			e = noVerdict()
		}
		r.failed(it, e)
	default:
		r.failed(it, noVerdict())
	}
}

// noVerdict is an answer that does not say what was done.
func noVerdict() *apierror.Error {
	return &apierror.Error{Code: codes.Unknown, Reason: reasonNoAnswer, Outcome: exchange.Unknown, Message: "the answer does not say what was done"}
}

// ended puts back what the stream owes.
func (r *bulkRun) ended(stream context.Context, err error) error {
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
	case errors.Is(cause, errNoAnswer):
		return cause
	case errors.Is(err, io.EOF):
		return errNoAnswer
	default:
		return err
	}
}
