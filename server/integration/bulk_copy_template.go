package integration

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

type bulkStream = grpc.BidiStreamingServer[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse]

// BulkCopyTemplate implements [integrationv1.IntegrationServiceServer].
//
// A copy keeps its worker until the stream has accepted its result, and flow control
// blocks the stream while the client does not read. So neither results nor requests pile
// up: no request is read without a free worker.
func (s *Service) BulkCopyTemplate(stream bulkStream) error {
	ctx, cancel := context.WithCancel(stream.Context())
	b := &bulkRun{
		service: s, cfg: s.bulk, stream: stream,
		seen:      make(map[[16]byte]struct{}),
		opened:    time.Now(),
		underWay:  copiesUnderWay{all: make(map[*bulkCopy]struct{})},
		templates: templates{read: s.readTemplate},
	}
	ended := make(chan error, 1)
	go func() { ended <- b.run(ctx) }()
	err := b.watch(ended)
	b.report(stream.Context())
	// Copies that were not sent end here. Copies that were sent continue without the
	// stream.
	cancel()
	if err != nil && !b.begun.Load() {
		return nothingBegun(err)
	}
	return err
}

// report stores the counts in the exchange, for the log line of the stream. Copies in
// progress are only in the total.
func (b *bulkRun) report(ctx context.Context) {
	ex := exchange.FromContext(ctx)
	if ex == nil {
		return
	}
	b.counting.Lock()
	defer b.counting.Unlock()
	n := &b.summary
	ex.Items = &exchange.Items{
		Total: n.GetTotal(), Done: n.GetDone(), Replayed: n.GetReplayed(),
		NotSent: n.GetNotSent(), Rejected: n.GetRejected(), Unknown: n.GetUnknown(),
	}
}

// nothingBegun returns the error of a stream that ended before any of its items was
// begun. In that case, a deadline or cancellation leaves nothing unknown.
func nothingBegun(err error) error {
	e := apierror.FromError(err)
	switch {
	case e.Outcome != exchange.Unknown:
		return err
	case e.Reason == apierror.ReasonStalled:
		return e.WithOutcome(exchange.NotSent)
	case e.Code == codes.Canceled:
		return apierror.NotBegun(context.Canceled)
	case e.Code == codes.DeadlineExceeded:
		return apierror.NotBegun(context.DeadlineExceeded)
	default:
		return err
	}
}

// bulkRun is the state of one stream.
type bulkRun struct {
	service *Service
	cfg     BulkSettings
	stream  bulkStream
	begun   atomic.Bool // an item was begun
	// seen are the request ids of the stream, hashed to limit their size.
	seen      map[[16]byte]struct{}
	templates templates // for copies that need their template
	items     pending
	underWay  copiesUnderWay
	opened    time.Time
	moved     atomic.Int64 // when a request was read, or a result was ready or accepted: nanoseconds since opened

	mu     sync.Mutex // held during a send
	closed bool       // nothing may be sent any more, or the summary was sent

	counting sync.Mutex
	summary  integrationv1.BulkCopySummary
}

// run reads a request whenever there is a free worker, and sends the summary when every
// copy has its result.
func (b *bulkRun) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(ctx, func() { b.underWay.leaveAll(ctx.Err()) })
	var workers *workers[bulkItem]
	workers = newWorkers(b.cfg.Concurrency, func(i bulkItem) (left bool) { return b.copy(ctx, i, workers.leave) })
	defer workers.end()
	defer workers.wait() // nothing may be sent after the call has returned
	defer cancel()
	for total := int64(1); ; total++ {
		if err := workers.take(ctx); err != nil {
			return status.FromContextError(err).Err()
		}
		req, err := b.stream.Recv()
		b.move()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if _, refused := errors.AsType[*apierror.Error](err); refused {
				workers.wait() // every copy that was begun gets its result
			}
			return err
		}
		if total > int64(b.cfg.MaxItems) {
			workers.wait() // every copy that was begun gets its result
			return apierror.TooManyItems(b.cfg.MaxItems)
		}
		if !b.items.add() {
			workers.wait()
			return apierror.Draining()
		}
		b.begun.Store(true)
		b.counting.Lock()
		b.summary.Total = total
		b.counting.Unlock()
		workers.give(bulkItem{req.GetCopy(), b.check(req)})
	}
	workers.wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	if b.closed {
		return apierror.Draining()
	}
	b.closed = true
	return b.stream.Send(&integrationv1.BulkCopyTemplateResponse{
		Outcome: &integrationv1.BulkCopyTemplateResponse_Summary{Summary: &b.summary},
	})
}

// check returns the error of an invalid request, before its copy is begun.
func (b *bulkRun) check(req *integrationv1.BulkCopyTemplateRequest) error {
	id := req.GetCopy().GetRequestId()
	digest := sha256.Sum256([]byte(id))
	before := len(b.seen)
	b.seen[[16]byte(digest[:16])] = struct{}{}
	twice := len(b.seen) == before
	if err := b.service.rules.Validate(req); err != nil {
		return err
	}
	violation := apierror.Violation{Field: "copy.request_id"}
	switch {
	case id == "":
		violation.Description, violation.Reason = "is required in a stream", "MISSING"
	case twice:
		violation.Description, violation.Reason = "is that of another copy of this stream", "DUPLICATE"
	default:
		return nil
	}
	return apierror.InvalidRequest(violation)
}
