package web

import (
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/apierror"
)

// wireError returns the error that connect-go sends, with the code, message and details
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

// worded is an error with the text that its caller gets.
type worded struct {
	text string
	err  error
}

func (w worded) Error() string { return w.text }
func (w worded) Unwrap() error { return w.err }

// invalid returns the error of a message that cannot be read.
func invalid(description, reason string) *apierror.Error {
	return apierror.InvalidRequest(apierror.Violation{Description: "the message " + description, Reason: reason})
}

func notGzip() *apierror.Error { return invalid("is compressed, but no gzip", "GZIP_INVALID") }

// lost returns the error of a message that connect-go could not read: the error of
// [body.Read] if there is one, and otherwise that the message is malformed.
func lost(err error) error {
	if refused, ok := errors.AsType[*apierror.Error](err); ok {
		return refused
	}
	return invalid("is not in an envelope of its protocol, or breaks off", "PROTOBUF_INVALID")
}
