package server

import (
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/server/apierror"
)

// pushbackKey tells gRPC clients that retry by themselves how long to wait, in
// milliseconds, or with -1 not to (gRFC A6). It has to be a trailer: where
// headers were sent before an error, grpc-go retries nothing and reads none.
const pushbackKey = "grpc-retry-pushback-ms"

// pushback is the trailer for a call's error, nil where there is nothing to say:
// the answer to another try would be the same.
func pushback(err error) metadata.MD {
	e := apierror.FromError(err)
	switch {
	case e.RetryUnsafe():
		return metadata.Pairs(pushbackKey, "-1")
	case e.RetryAfter != nil:
		wait := (*e.RetryAfter + time.Millisecond - 1) / time.Millisecond
		return metadata.Pairs(pushbackKey, strconv.FormatInt(int64(wait), 10))
	default:
		return nil
	}
}

// sayUnary ends a call that failed as its caller may have it: bounded, and with
// what to do about another try.
func (s *Server) sayUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	resp, err := handler(ctx, req)
	if err == nil {
		return resp, nil
	}
	_ = grpc.SetTrailer(ctx, pushback(err))
	return nil, s.bounded(err)
}

// sayStream is sayUnary for streams.
func (s *Server) sayStream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	err := handler(srv, ss)
	if err == nil {
		return nil
	}
	ss.SetTrailer(pushback(err))
	return s.bounded(err)
}

func (s *Server) bounded(err error) error {
	if e, ok := errors.AsType[*apierror.Error](err); ok {
		return e.Within(s.cfg.MaxErrorBytes)
	}
	return err
}
