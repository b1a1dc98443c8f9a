package server

import (
	"context"

	"google.golang.org/grpc"

	"github.com/digate/digate/server/authn"
)

// interceptors is what a call passes on its way to a service, outermost first.
type interceptors struct {
	unary  []grpc.UnaryServerInterceptor
	stream []grpc.StreamServerInterceptor
}

// interceptors returns the chain that every call passes, whichever its
// protocol: the gRPC server and the in-process channel of the REST side both
// take it. What must hold for all callers belongs here.
func (s *Server) interceptors() interceptors {
	return interceptors{
		unary:  []grpc.UnaryServerInterceptor{s.telemetry.UnaryInterceptor, authn.UnaryInterceptor, s.knowCaller, implementedUnary},
		stream: []grpc.StreamServerInterceptor{s.telemetry.StreamInterceptor, authn.StreamInterceptor, implementedStream},
	}
}

// knowCaller remembers a caller whose token Diga accepted: there is room for its
// streams that strangers do not get.
func (s *Server) knowCaller(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	resp, err := handler(ctx, req)
	if err == nil {
		if m := s.contract.Method(info.FullMethod); m != nil && !m.FacadeOnly {
			if p := authn.FromContext(ctx); p != nil {
				s.streams.Know(p.Credential.Reveal())
			}
		}
	}
	return resp, err
}
