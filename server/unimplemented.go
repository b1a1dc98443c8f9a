package server

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/apierror"
)

// The generated code returns UNIMPLEMENTED for a method of the contract that the service
// does not implement. These interceptors add the outcome NOT_SENT to that error.

func implementedUnary(_ context.Context, _ string, resp any, err error) (any, error) {
	return resp, implemented(err)
}

func implementedStream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return implemented(handler(srv, ss))
}

func implemented(err error) error {
	if err == nil {
		return nil
	}
	if _, ours := err.(*apierror.Error); !ours && status.Code(err) == codes.Unimplemented {
		return apierror.UnknownMethod()
	}
	return err
}
