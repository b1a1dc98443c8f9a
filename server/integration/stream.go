package integration

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/upstream"
)

const (
	// streamPage is how many items a page of a stream has, unless so many are too large
	// for one response.
	streamPage = 100
	// maxStale bounds the pages in a row that bring nothing new. A list that goes on
	// longer than that has no end.
	maxStale = 20
	// maxSeen bounds the ids that a stream remembers, to send each item once.
	maxSeen = 100_000
)

// StreamTemplates implements [integrationv1.IntegrationServiceServer].
func (s *Service) StreamTemplates(req *integrationv1.StreamTemplatesRequest, out grpc.ServerStreamingServer[integrationv1.StreamTemplatesResponse]) error {
	if err := s.rules.Validate(req); err != nil {
		return err
	}
	return stream(out.Context(), s, &listing[*integrationv1.IntegrationTemplate]{
		after: req.After, most: req.MaxItems,
		page: func(ctx context.Context, after *string, limit int32) (page[*integrationv1.IntegrationTemplate], error) {
			resp := new(integrationv1.ListTemplatesResponse)
			return resp, s.readPage(ctx, integrationv1.IntegrationService_ListTemplates_FullMethodName,
				&integrationv1.ListTemplatesRequest{After: after, Limit: &limit, Order: req.GetOrder(), Language: req.Language}, resp)
		},
		id: (*integrationv1.IntegrationTemplate).GetId,
		send: func(t *integrationv1.IntegrationTemplate) error {
			return out.Send(&integrationv1.StreamTemplatesResponse{Template: t})
		},
	})
}

// StreamIntegrations implements [integrationv1.IntegrationServiceServer].
func (s *Service) StreamIntegrations(req *integrationv1.StreamIntegrationsRequest, out grpc.ServerStreamingServer[integrationv1.StreamIntegrationsResponse]) error {
	if err := s.rules.Validate(req); err != nil {
		return err
	}
	return stream(out.Context(), s, &listing[*integrationv1.Integration]{
		after: req.After, most: req.MaxItems,
		page: func(ctx context.Context, after *string, limit int32) (page[*integrationv1.Integration], error) {
			resp := new(integrationv1.ListIntegrationsResponse)
			return resp, s.readPage(ctx, integrationv1.IntegrationService_ListIntegrations_FullMethodName,
				&integrationv1.ListIntegrationsRequest{After: after, Limit: &limit, Order: req.GetOrder(), IntegrationType: req.GetIntegrationType()}, resp)
		},
		id: (*integrationv1.Integration).GetId,
		send: func(in *integrationv1.Integration) error {
			return out.Send(&integrationv1.StreamIntegrationsResponse{Integration: in})
		},
	})
}

// StreamTools implements [integrationv1.IntegrationServiceServer].
func (s *Service) StreamTools(req *integrationv1.StreamToolsRequest, out grpc.ServerStreamingServer[integrationv1.StreamToolsResponse]) error {
	if err := s.rules.Validate(req); err != nil {
		return err
	}
	return stream(out.Context(), s, &listing[*integrationv1.Tool]{
		after: req.After, most: req.MaxItems,
		page: func(ctx context.Context, after *string, limit int32) (page[*integrationv1.Tool], error) {
			resp := new(integrationv1.ListToolsResponse)
			return resp, s.readPage(ctx, integrationv1.IntegrationService_ListTools_FullMethodName,
				&integrationv1.ListToolsRequest{IntegrationId: req.GetIntegrationId(), After: after, Limit: &limit, Order: req.GetOrder()}, resp)
		},
		id: func(t *integrationv1.Tool) string {
			if mcp := t.GetMcp(); mcp != nil {
				return mcp.GetId()
			}
			return t.GetHttp().GetId()
		},
		send: func(t *integrationv1.Tool) error { return out.Send(&integrationv1.StreamToolsResponse{Tool: t}) },
	})
}

// observedRead makes a request to Diga that a call needs beside its own: a page of a
// stream, or a template before its copy. It is observed as an operation.
func (s *Service) observedRead(ctx context.Context, method string, req, resp proto.Message) (*exchange.Exchange, error) {
	ctx, end := s.observer.Start(ctx, exchange.Operation{Kind: exchange.InnerRead, Method: method})
	ctx, ex := exchange.NewContext(ctx)
	err := s.upstream.Call(ctx, upstream.Call{Method: method, Request: req, Response: resp})
	end(ex, err)
	return ex, err
}

// readPage reads a page of a list. A page that does not say what is on it, or whether
// more pages follow, would end a stream early as if it were whole.
func (s *Service) readPage(ctx context.Context, method string, req, resp proto.Message) error {
	ex, err := s.observedRead(ctx, method, req, resp)
	if err != nil {
		return err
	}
	for _, d := range ex.Drift {
		if len(d.Path) == 1 && (d.Path[0] == "data" || d.Path[0] == "has_more") {
			return apierror.Drifted(ex.Drift)
		}
	}
	return nil
}

// page is one page of a list.
type page[Item any] interface {
	GetData() []Item
	GetLastId() string
	GetHasMore() bool
}

// listing is a list that is streamed.
type listing[Item any] struct {
	after *string // the id that the stream begins after
	most  *int32  // how many items are streamed; all of them if nil
	page  func(ctx context.Context, after *string, limit int32) (page[Item], error)
	id    func(Item) string
	// send waits until the stream has taken the item.
	send func(Item) error
	// asking reports whether a page is asked for.
	asking atomic.Bool
}

// stream sends the items of a list, page by page. A page is read once the stream
// has taken the items of the page before. The stream ends when nothing moves for
// the stall timeout, and when the server stops. The outcome of its error is that of
// the page that would come next.
func stream[Item any](ctx context.Context, s *Service, l *listing[Item]) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	moved := make(chan struct{}, 1)
	ended := make(chan error, 1)
	go func() { ended <- l.run(ctx, moved) }()
	outcome := func() exchange.Outcome {
		if l.asking.Load() {
			return exchange.Unknown
		}
		return exchange.NotSent
	}
	timer := time.NewTimer(s.bulk.StallTimeout)
	defer timer.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-moved:
			timer.Reset(s.bulk.StallTimeout)
		case <-s.draining:
			return apierror.Draining().WithOutcome(outcome()).WithMessage("the server is stopping; go on after the last item, on another one")
		case <-timer.C:
			return apierror.Stalled(s.bulk.StallTimeout).WithOutcome(outcome()).WithMessage("the stream stood still for too long; go on after the last item")
		}
	}
}

// run sends the items until the list ends. It notes each move of the stream.
func (l *listing[Item]) run(ctx context.Context, moved chan<- struct{}) error {
	move := func() {
		select {
		case moved <- struct{}{}:
		default:
		}
	}
	sent := make(seen)
	left := int32(-1) // without a bound
	if l.most != nil {
		left = *l.most
	}
	var cursors cursors
	back := 0 // how far back the last cursor was
	size := int32(streamPage)
	for after, stale := l.after, 0; ; {
		limit := size
		if left >= 0 {
			limit = min(limit, left)
		}
		l.asking.Store(true)
		p, err := l.page(ctx, after, limit)
		l.asking.Store(false)
		move()
		if limit > 1 && errors.Is(err, upstream.ErrResponseTooLarge) {
			size = limit / 2
			continue
		}
		if err != nil {
			back = 2*back + 1 // a few requests find the item that is left
			if after = cursors.before(err, back); after == nil {
				return err
			}
			continue
		}
		stale++
		cursors = nil // after points into the old ones
		for _, item := range p.GetData() {
			id := l.id(item)
			if id != "" {
				cursors = append(cursors, id)
				if !sent.first(id) {
					continue
				}
			}
			if err := l.send(item); err != nil {
				switch cause := ctx.Err(); {
				case errors.Is(cause, context.Canceled):
					return apierror.NotBegun(cause).WithMessage("the caller left before the end of the list")
				case cause != nil:
					return apierror.NotBegun(cause).WithMessage("the deadline passed before the end of the list")
				}
				return err
			}
			move()
			stale = 0
			if left--; left == 0 {
				return nil
			}
		}
		if !p.GetHasMore() {
			return nil
		}
		if last := p.GetLastId(); last != "" && (len(cursors) == 0 || cursors[len(cursors)-1] != last) {
			cursors = append(cursors, last)
		}
		if len(cursors) == 0 || stale >= maxStale || after != nil && *after == cursors[len(cursors)-1] {
			return apierror.EndlessList()
		}
		after, back = &cursors[len(cursors)-1], 0
	}
}

// cursors are the ids on a page, after which the next page can begin.
type cursors []string

// before returns the id that comes so far before the last one, if the list does not
// know the last one any more: its item was deleted meanwhile. It returns nil for every
// other error, and when there is no such id.
func (c cursors) before(err error, back int) *string {
	if code := apierror.FromError(err).Code; code != codes.InvalidArgument && code != codes.NotFound || back >= len(c) {
		return nil
	}
	return &c[len(c)-1-back]
}

// seen are ids that were seen, digested to bound their size.
type seen map[[16]byte]struct{}

// first reports whether an id is seen for the first time.
func (s seen) first(id string) bool {
	digest := sha256.Sum256([]byte(id))
	key := [16]byte(digest[:16])
	if _, again := s[key]; again {
		return false
	}
	if len(s) >= maxSeen {
		clear(s) // an item comes again soon after it came, or not at all
	}
	s[key] = struct{}{}
	return true
}
