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

// rememberAccepted remembers the caller if Diga accepted its token in this call. Known callers
// have places for streams that other callers do not get, and all of their calls are
// logged.
func (s *Server) rememberAccepted(ctx context.Context, method string, resp any, err error) (any, error) {
	if err == nil {
		if m := s.contract.Method(method); m != nil && !m.FacadeOnly {
			s.rememberCaller(ctx)
		}
	}
	return resp, err
}

// rememberingObserver is an observer that remembers the caller of a bulk stream if Diga accepted its
// token in one of the copies.
type rememberingObserver struct {
	*telemetry.Telemetry
	server *Server
}

func (k rememberingObserver) Start(ctx context.Context, op exchange.Operation) (context.Context, func(*exchange.Exchange, error)) {
	ctx, end := k.Telemetry.Start(ctx, op)
	return ctx, func(ex *exchange.Exchange, err error) {
		if err == nil {
			k.server.rememberCaller(ctx)
		}
		end(ex, err)
	}
}

// rememberCaller remembers the caller in the context.
func (s *Server) rememberCaller(ctx context.Context) {
	if p := authn.FromContext(ctx); p != nil {
		s.callers.Add(p.Key())
	}
}

// isKnown reports whether Diga has ever accepted the token of the caller in the context.
func (s *Server) isKnown(ctx context.Context) bool {
	p := authn.FromContext(ctx)
	return p != nil && s.callers.Has(p.Key())
}

// callerOf returns the number of the caller in the context, or 0 if there is none.
func (s *Server) callerOf(ctx context.Context) uint64 {
	p := authn.FromContext(ctx)
	if p == nil {
		return 0
	}
	return s.callers.Number(p.Key())
}

// shareOf returns the share of the request memory that belongs to the REST request with
// this context.
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
