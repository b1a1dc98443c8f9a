package server

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/contract"
)

// How long a call of the health and reflection services may take, which need no
// credential. A client that watches the server's health opens another stream then.
const (
	watchTime      = time.Hour
	reflectionTime = time.Minute
	openCallTime   = 5 * time.Second
)

// openTime returns how long a call of a method that needs no credential may take.
func openTime(method string) time.Duration {
	switch {
	case method == healthv1.Health_Watch_FullMethodName:
		return watchTime
	case contract.Endless(method):
		return reflectionTime
	default:
		return openCallTime
	}
}

// endWatches ends endless streams when the drain begins, because a graceful stop
// waits for every stream. A watcher of the health service sees its stream fail,
// which means the same as NOT_SERVING.
func (s *Server) endWatches(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if !contract.Endless(info.FullMethod) {
		return handler(srv, ss)
	}
	if info.FullMethod == healthv1.Health_Watch_FullMethodName { // it ends with its context
		ctx, cancel := context.WithCancel(ss.Context())
		defer cancel()
		defer context.AfterFunc(s.untilDrain, cancel)()
		return s.endOf(handler(srv, &endingStream{ss, ctx}))
	}
	ended := make(chan error, 1)
	go func() { ended <- handler(srv, ss) }() // it ends with its stream
	select {
	case err := <-ended:
		return err
	case <-s.untilDrain.Done():
		return s.endOf(nil)
	}
}

// endOf returns what the client of an endless stream is told at its end: the
// handler's error, or that the server drains.
func (s *Server) endOf(err error) error {
	if s.untilDrain.Err() != nil {
		return status.Error(codes.Unavailable, "the server is shutting down")
	}
	return err
}

// endingStream is a stream that ends with a context of its own.
type endingStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *endingStream) Context() context.Context { return s.ctx }
