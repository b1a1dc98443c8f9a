package integration_test

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/exchange/exchangetest"
	"github.com/digate/digate/server/integration"
)

// bulkStream is the server's side of a stream whose client sends what is put in,
// and takes each response that is read from out.
type bulkStream struct {
	grpc.ServerStream
	ctx context.Context
	in  chan *integrationv1.BulkCopyTemplateRequest
	out chan *integrationv1.BulkCopyTemplateResponse
}

func newBulkStream(ctx context.Context) *bulkStream {
	return &bulkStream{
		ctx: ctx, in: make(chan *integrationv1.BulkCopyTemplateRequest, 100), out: make(chan *integrationv1.BulkCopyTemplateResponse, 100),
	}
}

func (s *bulkStream) Context() context.Context { return s.ctx }

func (s *bulkStream) Recv() (*integrationv1.BulkCopyTemplateRequest, error) {
	select {
	case req, ok := <-s.in:
		if !ok {
			return nil, io.EOF
		}
		return req, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

func (s *bulkStream) Send(resp *integrationv1.BulkCopyTemplateResponse) error {
	select {
	case s.out <- resp:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

func (s *bulkStream) ask(ids ...string) {
	for _, id := range ids {
		s.in <- &integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{TemplateId: uuid, RequestId: id}}
	}
}

// bulkService is a service whose copies are made by the function.
func bulkService(t *testing.T, bulk integration.BulkSettings, copies fakeCopies, change ...func(*integration.Config)) *integration.Service {
	t.Helper()
	s, err := newService(new(recorder), append(change, func(c *integration.Config) { c.Copies, c.Bulk = copies, bulk })...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func made(_ context.Context, req *integrationv1.CopyTemplateRequest) (*integrationv1.Integration, bool, error) {
	return &integrationv1.Integration{Id: "made-" + req.GetRequestId()}, false, nil
}

func TestBulkCopyTemplate_OneItemHangs_EndsAtItsTimeoutAndTheOthersAreDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const itemTimeout = 7 * time.Second
		var mu sync.Mutex
		observed, times := make(map[string]time.Duration), 0
		s := bulkService(t, integration.BulkSettings{Concurrency: 2, MaxItems: 100, ItemTimeout: itemTimeout, StallTimeout: time.Minute},
			func(ctx context.Context, req *integrationv1.CopyTemplateRequest) (*integrationv1.Integration, bool, error) {
				if req.GetRequestId() == "hangs" {
					select {
					case <-ctx.Done():
						return nil, false, apierror.NotBegun(ctx.Err())
					case <-time.After(time.Hour):
						t.Error("the item has no end")
					}
				}
				return made(ctx, req)
			}, func(c *integration.Config) {
				c.Observer = exchangetest.Observer(func(op exchange.Operation, _ *exchange.Exchange, err error) {
					mu.Lock()
					defer mu.Unlock()
					observed[fmt.Sprintf("%v %s, failed %t", op.Kind, op.Method, err != nil)] += time.Since(op.Began)
					times++
				})
			})
		stream := newBulkStream(t.Context())
		stream.ask("hangs", "a", "b", "c")
		close(stream.in)
		began := time.Now()
		if err := s.BulkCopyTemplate(stream); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != itemTimeout {
			t.Errorf("the stream took %v, want the %v of the item that hangs", took, itemTimeout)
		}
		close(stream.out)
		var got []string
		for resp := range stream.out {
			switch outcome := resp.GetOutcome().(type) {
			case *integrationv1.BulkCopyTemplateResponse_Integration:
				got = append(got, outcome.Integration.GetId())
			case *integrationv1.BulkCopyTemplateResponse_Error:
				got = append(got, resp.GetRequestId()+" "+codes.Code(outcome.Error.GetCode()).String())
			default:
				got = append(got, fmt.Sprintf("done %d of %d", resp.GetSummary().GetDone(), resp.GetSummary().GetTotal()))
			}
		}
		if want := "[made-a made-b made-c hangs DeadlineExceeded done 3 of 4]"; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
		if want := "map[bulk_item /diga.integration.v1.IntegrationService/CopyTemplate, failed false:0s" +
			" bulk_item /diga.integration.v1.IntegrationService/CopyTemplate, failed true:7s]"; fmt.Sprint(observed) != want || times != 4 {
			t.Errorf("observed %d times %v, want %s", times, observed, want)
		}
	})
}

func TestBulkCopyTemplate_AsManyItemsAsAllowed_AreTakenAndOneMoreIsRefused(t *testing.T) {
	t.Parallel()
	for items, want := range map[int]codes.Code{3: codes.OK, 4: codes.ResourceExhausted} {
		synctest.Test(t, func(t *testing.T) {
			s := bulkService(t, integration.BulkSettings{Concurrency: 2, MaxItems: 3, ItemTimeout: time.Second, StallTimeout: time.Minute}, made)
			stream := newBulkStream(t.Context())
			for i := range items {
				stream.ask(strconv.Itoa(i))
			}
			close(stream.in)
			err := s.BulkCopyTemplate(stream)
			if got := status.Code(err); got != want {
				t.Errorf("%d items: got %v (%v), want %v", items, got, err, want)
			}
			results := 0
			for range len(stream.out) {
				if (<-stream.out).GetSummary() == nil {
					results++
				}
			}
			if results != 3 {
				t.Errorf("%d items: %d results", items, results)
			}
		})
	}
}

// The stall timeout counts from the last movement, and a copy under way is none
// of it.
func TestBulkCopyTemplate_NothingMoves_IsCutAfterTheStallTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const stall, item = time.Minute, 330 * time.Second
		s := bulkService(t, integration.BulkSettings{Concurrency: 2, MaxItems: 100, ItemTimeout: 2 * item, StallTimeout: stall},
			func(ctx context.Context, req *integrationv1.CopyTemplateRequest) (*integrationv1.Integration, bool, error) {
				time.Sleep(item) // longer than the stall timeout
				return made(ctx, req)
			})
		ctx, cancel := context.WithCancel(t.Context())
		stream := newBulkStream(ctx)
		began := time.Now()
		time.AfterFunc(50*time.Second, func() { stream.ask("a") })
		err := s.BulkCopyTemplate(stream)
		if e := apierror.FromError(err); err == nil || e.Reason != apierror.ReasonStalled {
			t.Errorf("got %v", err)
		}
		// The item's end moves the stream; from there the stall timeout runs once.
		if took, want := time.Since(began), 50*time.Second+item+stall; took != want {
			t.Errorf("cut after %v, want %v", took, want)
		}
		if got := (<-stream.out).GetIntegration().GetId(); got != "made-a" {
			t.Errorf("the item before the stall: %q", got)
		}
		cancel()
	})
}

// A stream that ends before its first item leaves nothing unknown, whoever ends it:
// otherwise strangers could raise the alert that watches for unknown outcomes.
func TestBulkCopyTemplate_EndsBeforeTheFirstItem_NothingWasSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := bulkService(t, integration.BulkSettings{Concurrency: 2, MaxItems: 100, ItemTimeout: time.Minute, StallTimeout: time.Minute}, made)
		for name, c := range map[string]struct {
			ctx    func() (context.Context, context.CancelFunc)
			code   codes.Code
			reason string
		}{
			"the caller leaves": {func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			}, codes.Canceled, apierror.ReasonCancelledBeforeSend},
			"its deadline passes": {func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), time.Second)
			}, codes.DeadlineExceeded, apierror.ReasonDeadlineBeforeSend},
			"it sends nothing": {func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) }, codes.DeadlineExceeded, apierror.ReasonStalled},
		} {
			ctx, cancel := c.ctx()
			err := s.BulkCopyTemplate(newBulkStream(ctx))
			if e := apierror.FromError(err); e == nil || e.Outcome != exchange.NotSent || e.Code != c.code || e.Reason != c.reason {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
		}
	})
}

// A result that nobody takes is a stall, although its copy still counts as under
// way.
func TestBulkCopyTemplate_ResultIsNotTaken_IsCutAfterTheStallTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const stall = time.Minute
		s := bulkService(t, integration.BulkSettings{Concurrency: 2, MaxItems: 100, ItemTimeout: time.Second, StallTimeout: stall}, made)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // so that a stream that is never cut fails
		stream := newBulkStream(ctx)
		stream.out = make(chan *integrationv1.BulkCopyTemplateResponse)
		stream.ask("a")
		began := time.Now()
		if err := s.BulkCopyTemplate(stream); err == nil {
			t.Error("no error")
		}
		if took := time.Since(began); took != stall {
			t.Errorf("cut after %v, want %v", took, stall)
		}
		cancel()
	})
}
