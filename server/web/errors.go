package web

import (
	"context"
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/apierror"
)

// wireError returns an error as connect-go sends it: with the code, message and details
// of its gRPC status.
func wireError(err error) *connect.Error {
	s := status.Convert(err)
	wire := connect.NewError(connect.Code(s.Code()), worded{s.Message(), err})
	for _, packed := range s.Proto().GetDetails() {
		if detail, err := connect.NewErrorDetail(packed); err == nil {
			wire.AddDetail(detail)
		}
	}
	return wire
}

// worded is an error with the text that its caller reads.
type worded struct {
	text string
	err  error
}

func (w worded) Error() string { return w.text }
func (w worded) Unwrap() error { return w.err }

// concluded returns the error of a call. A call that did not reach its service, because
// its context ended before or there is no such method, has an error without the details
// that the service's have.
func concluded(ctx context.Context, err error) error {
	s := status.Convert(err)
	switch {
	case err == nil, len(s.Proto().GetDetails()) > 0:
		return err
	case s.Code() == codes.Unimplemented:
		return apierror.UnknownMethod()
	case ctx.Err() != nil:
		return apierror.NotBegun(ctx.Err())
	default:
		return err
	}
}

// invalid returns the error of a message that cannot be read.
func invalid(description, reason string) *apierror.Error {
	return apierror.InvalidRequest(apierror.Violation{Description: "the message " + description, Reason: reason})
}

func notGzip() *apierror.Error { return invalid("is compressed, but no gzip", "GZIP_INVALID") }

// lost returns the error of a message that connect-go could not read: the verdict of this
// package on it, if that is what failed.
func lost(err error) error {
	if refused, ok := errors.AsType[*apierror.Error](err); ok {
		return refused
	}
	return invalid("is not in an envelope of its protocol, or breaks off", "PROTOBUF_INVALID")
}
