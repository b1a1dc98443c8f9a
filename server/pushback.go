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

// pushbackKey is the metadata key that tells gRPC clients with automatic retries how many
// milliseconds to wait before a retry, or with -1 not to retry (gRFC A6). It is sent as a
// trailer: if headers were sent before the error, grpc-go does not retry and does not
// read it.
const pushbackKey = "grpc-retry-pushback-ms"

// pushback returns the trailer for a call's error. It is nil if a retry would fail in the
// same way.
func pushback(err error) metadata.MD {
	e := apierror.FromError(err)
	switch {
	case e.RetryUnsafe():
		return metadata.Pairs(pushbackKey, "-1")
	case e.RetryAfter != nil:
		// Clients on grpc-core (seen in grpcio 1.76 and 1.85) never retry after a wait of
		// 0: the call hangs until its deadline.
		wait := max((*e.RetryAfter+time.Millisecond-1)/time.Millisecond, 1)
		return metadata.Pairs(pushbackKey, strconv.FormatInt(int64(wait), 10))
	default:
		return nil
	}
}

// failUnary prepares the error of a call for the caller: it limits the error's size and
// adds the trailer about retries.
func (s *Server) failUnary(ctx context.Context, _ string, resp any, err error) (any, error) {
	if err == nil {
		return resp, nil
	}
	_ = grpc.SetTrailer(ctx, pushback(err))
	return nil, s.limitError(err)
}

// failStream is failUnary for streams.
func (s *Server) failStream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	err := handler(srv, ss)
	if err == nil {
		return nil
	}
	ss.SetTrailer(pushback(err))
	return s.limitError(err)
}

// limitError limits the error to --max-error-bytes.
func (s *Server) limitError(err error) error {
	if e, ok := errors.AsType[*apierror.Error](err); ok {
		return e.Within(s.cfg.MaxErrorBytes)
	}
	return err
}
