package server

import (
	"context"
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
	if err == nil {
		return nil
	}
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

func pushbackUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	resp, err := handler(ctx, req)
	if md := pushback(err); md != nil {
		_ = grpc.SetTrailer(ctx, md)
	}
	return resp, err
}

func pushbackStream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	err := handler(srv, ss)
	if md := pushback(err); md != nil {
		ss.SetTrailer(md)
	}
	return err
}
