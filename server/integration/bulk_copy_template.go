package integration

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

type bulkStream = grpc.BidiStreamingServer[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse]

// BulkCopyTemplate implements [integrationv1.IntegrationServiceServer].
//
// A copy holds its place among those under way until its result was taken over
// by the stream, whose flow control blocks while the client does not read. So
// nothing piles up: neither results nor requests, which are not read meanwhile.
func (s *Service) BulkCopyTemplate(stream bulkStream) error {
	ctx, cancel := context.WithCancel(stream.Context())
	b := &bulk{
		Service: s, stream: stream,
		places: make(chan struct{}, s.bulk.Concurrency),
		seen:   make(map[[16]byte]struct{}),
		moved:  make(chan struct{}, 1),
	}
	ended := make(chan error, 1)
	go func() { ended <- b.run(ctx) }()
	err := b.watch(ended)
	// What was not begun is not begun any more; what was sent goes on by itself.
	cancel()
	return err
}

// bulk is one stream at work.
type bulk struct {
	*Service
	stream bulkStream
	places chan struct{}
	// seen are the request ids of the stream, digested for their size.
	seen  map[[16]byte]struct{}
	items gate          // the copies under way, until their results were taken
	moved chan struct{} // something was read, came to its end, or was taken

	mu      sync.Mutex // held while sending
	over    bool       // nothing may be sent any more, or the summary was
	summary integrationv1.BulkCopySummary
}

// watch returns how the stream ended, that it stands still, or that the server
// stops and what was begun has been answered. Reading is not waited for then: it
// is blocked on the stream, which ends with the call.
func (b *bulk) watch(ended <-chan error) error {
	timer := time.NewTimer(b.bulk.StallTimeout)
	defer timer.Stop()
	draining := b.draining
	var idle <-chan struct{}
	for {
		select {
		case err := <-ended:
			return err
		case <-draining:
			draining, idle = nil, b.items.close()
		case <-idle:
			idle = nil
			if b.end() {
				return apierror.Draining()
			}
		case <-b.moved:
			timer.Reset(b.bulk.StallTimeout)
		case <-timer.C:
			if b.items.busy() && !b.blocked() {
				timer.Reset(b.bulk.StallTimeout) // a copy is under way, and has its own bound
				continue
			}
			return apierror.Stalled(b.bulk.StallTimeout)
		}
	}
}

// blocked says whether a result waits to be taken.
func (b *bulk) blocked() bool {
	if b.mu.TryLock() {
		b.mu.Unlock()
		return false
	}
	return true
}

// end lets nothing be sent any more. It is false where the summary is being sent
// or was.
func (b *bulk) end() bool {
	if !b.mu.TryLock() {
		return false
	}
	defer b.mu.Unlock()
	if b.over {
		return false
	}
	b.over = true
	return true
}

func (b *bulk) move() {
	select {
	case b.moved <- struct{}{}:
	default:
	}
}

// run reads requests, each as soon as there is a place for it, and sends the
// summary when all have been answered.
func (b *bulk) run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait() // nothing may be sent when the call has returned
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for total := int64(1); ; total++ {
		select {
		case b.places <- struct{}{}:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
		req, err := b.stream.Recv()
		b.move()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if total > int64(b.bulk.MaxItems) {
			wg.Wait() // what was begun is answered
			return apierror.TooManyItems(b.bulk.MaxItems)
		}
		if !b.items.enter() {
			wg.Wait()
			return apierror.Draining()
		}
		b.mu.Lock()
		b.summary.Total = total
		b.mu.Unlock()
		wrong := b.check(req)
		wg.Go(func() {
			defer func() { b.items.leave(); <-b.places }()
			b.send(b.copy(ctx, req.GetCopy(), wrong))
		})
	}
	<-b.places
	wg.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	if b.over {
		return apierror.Draining()
	}
	b.over = true
	return b.stream.Send(&integrationv1.BulkCopyTemplateResponse{
		Outcome: &integrationv1.BulkCopyTemplateResponse_Summary{Summary: &b.summary},
	})
}

// check says what is wrong with a request, before any of it is begun.
func (b *bulk) check(req *integrationv1.BulkCopyTemplateRequest) error {
	id := req.GetCopy().GetRequestId()
	digest := sha256.Sum256([]byte(id))
	_, twice := b.seen[[16]byte(digest[:16])]
	b.seen[[16]byte(digest[:16])] = struct{}{}
	if err := b.rules.Validate(req); err != nil {
		return err
	}
	violation := apierror.Violation{Field: "copy.request_id"}
	switch {
	case id == "":
		violation.Description, violation.Reason = "is required in a stream", "MISSING"
	case twice:
		violation.Description, violation.Reason = "stands for another copy of this stream", "DUPLICATE"
	default:
		return nil
	}
	return apierror.InvalidRequest(violation)
}

// copy makes one copy and returns its result.
func (b *bulk) copy(ctx context.Context, req *integrationv1.CopyTemplateRequest, wrong error) *integrationv1.BulkCopyTemplateResponse {
	ctx, cancel := context.WithTimeout(ctx, b.bulk.ItemTimeout)
	defer cancel()
	ctx, ex := exchange.NewContext(ctx)
	resp := &integrationv1.BulkCopyTemplateResponse{RequestId: req.GetRequestId()}
	var in *integrationv1.Integration
	err := wrong
	if err == nil {
		in, resp.Replayed, err = b.copies.CopyTemplate(ctx, req)
	}
	b.ended(ctx, "bulk", ex, err)
	if err != nil {
		resp.Replayed = false
		resp.Outcome = &integrationv1.BulkCopyTemplateResponse_Error{Error: apierror.FromError(err).GRPCStatus().Proto()}
		b.count(apierror.FromError(err).Outcome, false)
		return resp
	}
	resp.Outcome = &integrationv1.BulkCopyTemplateResponse_Integration{Integration: in}
	b.count(exchange.Done, resp.Replayed)
	return resp
}

func (b *bulk) count(o exchange.Outcome, replayed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch o {
	case exchange.Done:
		b.summary.Done++
		if replayed {
			b.summary.Replayed++
		}
	case exchange.NotSent:
		b.summary.NotSent++
	case exchange.Rejected:
		b.summary.Rejected++
	default:
		b.summary.Unknown++
	}
}

// send gives a result to the stream, and returns when that has taken it.
func (b *bulk) send(resp *integrationv1.BulkCopyTemplateResponse) {
	b.move()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stream.Send(resp) == nil { // else the stream is over, and reading says so
		b.move()
	}
}
