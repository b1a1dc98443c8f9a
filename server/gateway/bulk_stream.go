package gateway

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// bulkStream is the server side of a bulk request's stream, for [Channel].Serve: RecvMsg
// returns the items that were read, and SendMsg writes the lines of the response.
type bulkStream struct {
	ctx      context.Context
	response *digajson.Codec
	out      *lines
	items    []item         // not received yet
	pending  map[string]int // the line number of each request id without a result
	refused  int64          // items that the service does not receive because they are invalid
	received atomic.Bool    // the service received an item, or the end of the stream
}

var _ grpc.ServerStream = (*bulkStream)(nil)

// newBulkStream returns the stream of the items. It writes the lines of invalid items at
// once.
func newBulkStream(ctx context.Context, items []item, response *digajson.Codec, out *lines) *bulkStream {
	s := &bulkStream{ctx: ctx, response: response, out: out, pending: make(map[string]int, len(items))}
	for _, it := range items {
		if it.err != nil {
			s.refused++
			out.write(failure(it.line, it.copy.GetRequestId(), it.err))
			continue
		}
		s.items = append(s.items, it)
		s.pending[it.copy.RequestId] = it.line
	}
	return s
}

// RecvMsg returns the next item. It never waits.
func (s *bulkStream) RecvMsg(m any) error {
	req, ok := m.(*integrationv1.BulkCopyTemplateRequest)
	if !ok {
		return status.Errorf(codes.Internal, "gateway: cannot receive into %T", m)
	}
	s.received.Store(true)
	if len(s.items) == 0 {
		return io.EOF
	}
	req.Copy, s.items = s.items[0].copy, s.items[1:]
	return nil
}

// SendMsg writes the line of a result. It waits while the client reads nothing, at most
// for the stall timeout.
func (s *bulkStream) SendMsg(m any) error {
	resp, ok := m.(*integrationv1.BulkCopyTemplateResponse)
	if !ok {
		return status.Errorf(codes.Internal, "gateway: cannot send %T", m)
	}
	s.out.write(s.line(resp))
	if s.out.err != nil {
		return status.Error(codes.Canceled, fmt.Sprintf("the client takes no more: %v", s.out.err))
	}
	return nil
}

func (s *bulkStream) line(resp *integrationv1.BulkCopyTemplateResponse) line {
	if sum := resp.GetSummary(); sum != nil {
		return line{Summary: &summary{
			Total: s.refused + sum.GetTotal(), Done: sum.GetDone(), Replayed: sum.GetReplayed(),
			NotSent: s.refused + sum.GetNotSent(), Rejected: sum.GetRejected(), Unknown: sum.GetUnknown(),
		}}
	}
	id := resp.GetRequestId()
	n := s.pending[id]
	delete(s.pending, id)
	if resp.GetError() != nil {
		return failure(n, id, status.ErrorProto(resp.GetError()))
	}
	integration, err := s.response.AppendResponse(nil, resp.GetIntegration())
	if err != nil {
		return failure(n, id, err)
	}
	return line{Line: n, RequestID: id, Replayed: resp.GetReplayed(), Integration: integration, Outcome: "DONE"}
}

// Context implements [grpc.ServerStream].
func (s *bulkStream) Context() context.Context { return s.ctx }

// SetHeader implements [grpc.ServerStream]. It does nothing: a bulk response has no
// metadata.
func (s *bulkStream) SetHeader(metadata.MD) error { return nil }

// SendHeader implements [grpc.ServerStream].
func (s *bulkStream) SendHeader(metadata.MD) error { return nil }

// SetTrailer implements [grpc.ServerStream].
func (s *bulkStream) SetTrailer(metadata.MD) {}
