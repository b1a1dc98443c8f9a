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

// The longest duration of a call to the health and reflection services, which need no
// credential. A client that watches the server's health then opens another stream.
const (
	watchTime      = time.Hour
	reflectionTime = time.Minute
	openCallTime   = 5 * time.Second
)

// maxOpenDuration returns the longest duration of a call to a method that needs no credential.
func maxOpenDuration(method string) time.Duration {
	switch {
	case method == healthv1.Health_Watch_FullMethodName:
		return watchTime
	case contract.Endless(method):
		return reflectionTime
	default:
		return openCallTime
	}
}

// endOnDrain ends streams that never end by themselves when the drain begins, because a
// graceful stop waits for every stream. A client that watches the health service sees its
// stream fail, which means the same as NOT_SERVING.
func (s *Server) endOnDrain(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if !contract.Endless(info.FullMethod) {
		return handler(srv, ss)
	}
	if info.FullMethod == healthv1.Health_Watch_FullMethodName { // its handler returns when its context ends
		ctx, cancel := context.WithCancel(ss.Context())
		defer cancel()
		defer context.AfterFunc(s.beforeDrain, cancel)()
		return s.drainError(handler(srv, &endingStream{ss, ctx}))
	}
	ended := make(chan error, 1)
	go func() { ended <- handler(srv, ss) }() // its handler returns when its stream fails
	select {
	case err := <-ended:
		return err
	case <-s.beforeDrain.Done():
		return s.drainError(nil)
	}
}

// drainError returns the error that the client of an endless stream gets: the handler's, or
// that the server is draining.
func (s *Server) drainError(err error) error {
	if s.beforeDrain.Err() != nil {
		return status.Error(codes.Unavailable, "the server is shutting down")
	}
	return err
}

// endingStream is a stream with a context of its own. RecvMsg and SendMsg fail once that
// context has ended.
type endingStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *endingStream) Context() context.Context { return s.ctx }
