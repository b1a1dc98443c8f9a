package integration

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/upstream"
)

// observedRead makes an additional request that a call needs: for a page of a stream, or
// for a template before its copy. It is observed as an operation.
func (s *Service) observedRead(ctx context.Context, method string, req, resp proto.Message) (*exchange.Exchange, error) {
	ctx, end := s.observer.Start(ctx, exchange.Operation{Kind: exchange.InnerRead, Method: method})
	ctx, ex := exchange.NewContext(ctx)
	err := s.upstream.Call(ctx, upstream.Call{Method: method, Request: req, Response: resp})
	end(ex, err)
	return ex, err
}
