package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/nearjson"
)

// unary serves unary methods over REST. It passes on only the request headers that it
// reads here. Authentication has already read the credential.
type unary struct {
	channel Channel
	maxBody int64
}

// serve writes the response to a request of a route. It returns an error if the request
// failed.
func (u *unary) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, route *route, values pathValues, memory *budget.Share) error {
	response, header, err := u.channel.Call(ctx, route.FullName, func(request any) error {
		m, ok := request.(proto.Message)
		if !ok {
			return fmt.Errorf("gateway: cannot receive into %T", request)
		}
		checked, err := u.read(m, w, r, route, values, memory)
		if ex := exchange.FromContext(ctx); ex != nil {
			ex.CheckedJSON = checked
		}
		return err
	})
	if err = completeError(ctx, err, false); err == nil {
		err = route.succeed(ctx, w, response, header)
	}
	if err == nil {
		return nil
	}
	return route.fail(ctx, w, err)
}

// read fills in the request message of a route. It returns the message's JSON if that was
// validated.
func (u *unary) read(m proto.Message, w http.ResponseWriter, r *http.Request, route *route, values pathValues, memory *budget.Share) (checked string, err error) {
	received := body{ReadCloser: http.MaxBytesReader(w, r.Body, u.maxBody), length: r.ContentLength, limit: u.maxBody, memory: memory}
	msg := m.ProtoReflect()
	if route.Binding.Body == nil {
		if r.ContentLength != 0 {
			_, _ = io.Copy(io.Discard, &received)
		}
		route.Binding.SetPath(msg, values)
		return "", route.setQuery(parseQuery(r.URL.RawQuery), msg)
	}
	if checked, err = received.decode(route, m); err != nil {
		return "", err
	}
	route.Binding.SetPath(msg, values)
	if err := setRequestID(r.Header[headerIdempotencyKey], msg); err != nil {
		return "", err
	}
	return checked, setUnresolved(r.Header[headerUnresolved], m)
}

// decode decodes exactly one JSON object into a request message of the route. It keeps
// variables as JSON text, which Diga gets unchanged, and decodes them to values only if
// digate needs the values. It returns the JSON if that was validated.
func (b *body) decode(route *route, m proto.Message) (checked string, err error) {
	data, err := b.readAll()
	data = nearjson.TrimBOM(data)
	switch tooLarge, ok := errors.AsType[*http.MaxBytesError](err); {
	case ok:
		return "", apierror.RequestTooLarge(tooLarge.Limit)
	case errors.Is(err, errNoMemory):
		return "", apierror.Overloaded(time.Second)
	case err != nil:
		return "", apierror.BodyIncomplete()
	case len(data) == 0:
		return "", apierror.InvalidRequest(apierror.Violation{
			Field: "body", Description: "a JSON object is required", Reason: "MISSING",
		})
	}
	if !reserveDecoded(data, b.memory, digajson.MaxValues) {
		return "", apierror.Overloaded(time.Second)
	}
	if route.FacadeOnly {
		err = route.Binding.Body.UnmarshalRequest(data, m)
	} else {
		checked, err = route.Binding.Body.UnmarshalForwarded(data, m)
	}
	if err != nil {
		return "", decodeError(err)
	}
	return checked, nil
}

// completeError completes the error of a call to the service. If the call did not reach the
// service, because its context ended or the method does not exist, completeError adds the details
// that the service's errors have. If the service received a message of a stream, the
// error may be the stream's own, without an outcome, and completeError must not add that nothing
// was sent.
func completeError(ctx context.Context, err error, received bool) error {
	if err == nil {
		return nil
	}
	switch s := status.Convert(err); {
	case len(s.Proto().GetDetails()) > 0:
		return err
	case s.Code() == codes.Unimplemented:
		return apierror.UnknownMethod()
	case ctx.Err() != nil && !received:
		return apierror.NotBegun(ctx.Err())
	default:
		return err
	}
}
