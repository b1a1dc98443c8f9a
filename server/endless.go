package server

import (
	"cmp"
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

// endless are the methods whose streams their callers need not end, and how long
// such a stream may be open: those of the health and reflection services, which
// need no credential. Who watches the server's health opens another stream then.
var endless = map[string]time.Duration{
	healthv1.Health_Watch_FullMethodName:                              time.Hour,
	reflectionv1.ServerReflection_ServerReflectionInfo_FullMethodName: time.Minute,
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo":  time.Minute, // its package is deprecated
}

// openCallTime is how long any other call of these services may take.
const openCallTime = 5 * time.Second

// openTime returns how long a call of a method that needs no credential may take.
func openTime(method string) time.Duration { return cmp.Or(endless[method], openCallTime) }

// endWatches ends endless streams when the drain begins, because a graceful stop
// waits for every stream. A watcher of the health service sees its stream fail,
// which means the same as NOT_SERVING.
func (s *Server) endWatches(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if endless[info.FullMethod] == 0 {
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
