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

// pushback returns the trailer for a call's error, nil if another try would fail
// in the same way.
func pushback(err error) metadata.MD {
	e := apierror.FromError(err)
	switch {
	case e.RetryUnsafe():
		return metadata.Pairs(pushbackKey, "-1")
	case e.RetryAfter != nil:
		// Clients on grpc-core (seen in grpcio 1.76 and 1.85) never try again after a
		// wait of 0: the call hangs until its deadline.
		wait := max((*e.RetryAfter+time.Millisecond-1)/time.Millisecond, 1)
		return metadata.Pairs(pushbackKey, strconv.FormatInt(int64(wait), 10))
	default:
		return nil
	}
}

// failUnary gives the failure of a call the form in which its caller gets it:
// bounded, and with the trailer about another try.
func (s *Server) failUnary(ctx context.Context, _ string, resp any, err error) (any, error) {
	if err == nil {
		return resp, nil
	}
	_ = grpc.SetTrailer(ctx, pushback(err))
	return nil, s.bounded(err)
}

// failStream is failUnary for streams.
func (s *Server) failStream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	err := handler(srv, ss)
	if err == nil {
		return nil
	}
	ss.SetTrailer(pushback(err))
	return s.bounded(err)
}

// bounded returns the error within --max-error-bytes.
func (s *Server) bounded(err error) error {
	if e, ok := errors.AsType[*apierror.Error](err); ok {
		return e.Within(s.cfg.MaxErrorBytes)
	}
	return err
}
