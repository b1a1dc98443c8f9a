package server

import (
	"context"
	"net"

	"google.golang.org/grpc/peer"

	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/telemetry"
)

// knowCaller remembers a caller whose token Diga accepted in a call: there is room for
// its streams that strangers do not get, and its calls are all in the log.
func (s *Server) knowCaller(ctx context.Context, method string, resp any, err error) (any, error) {
	if err == nil {
		if m := s.contract.Method(method); m != nil && !m.FacadeOnly {
			s.know(ctx)
		}
	}
	return resp, err
}

// knowing is an observer that remembers a caller whose token Diga accepted in a copy
// of a bulk stream.
type knowing struct {
	*telemetry.Telemetry
	server *Server
}

func (k knowing) Start(ctx context.Context, op exchange.Operation) (context.Context, func(*exchange.Exchange, error)) {
	ctx, end := k.Telemetry.Start(ctx, op)
	return ctx, func(ex *exchange.Exchange, err error) {
		if err == nil {
			k.server.know(ctx)
		}
		end(ex, err)
	}
}

// know remembers the caller of the call with a context.
func (s *Server) know(ctx context.Context) {
	if p := authn.FromContext(ctx); p != nil {
		s.callers.Add(p.Key())
	}
}

// knows reports whether Diga ever accepted the caller of the call with a context.
func (s *Server) knows(ctx context.Context) bool {
	p := authn.FromContext(ctx)
	return p != nil && s.callers.Has(p.Key())
}

// callerOf returns a number for the caller of the call with a context, 0 for none.
func (s *Server) callerOf(ctx context.Context) uint64 {
	p := authn.FromContext(ctx)
	if p == nil {
		return 0
	}
	return s.callers.Number(p.Key())
}

// shareOf returns the share of the memory that the REST request with a context has.
func (s *Server) shareOf(ctx context.Context) budget.Share {
	var addr net.Addr
	if p, ok := peer.FromContext(ctx); ok {
		addr = p.Addr
	}
	key := ""
	if p := authn.FromContext(ctx); p != nil {
		key = p.Key()
	}
	id, known := s.callers.Identify(addr, key)
	return s.memory.Share(budget.Caller{ID: id, Known: known})
}
