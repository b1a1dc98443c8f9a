package server

import (
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
		unary:  []grpc.UnaryServerInterceptor{s.telemetry.UnaryInterceptor, authn.UnaryInterceptor, implementedUnary},
		stream: []grpc.StreamServerInterceptor{s.telemetry.StreamInterceptor, authn.StreamInterceptor, implementedStream},
	}
}
