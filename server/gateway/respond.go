package gateway

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
)

// contentType is the Content-Type of every JSON response. It is shared, since net/http
// does not modify it.
var contentType = []string{"application/json"}

// headerReplayed is the header of a response whose integration was created by an earlier
// request.
const headerReplayed = "Digate-Replayed"

// succeed writes the response to a successful call: Diga's body if there is one, and
// otherwise digate's own in the same form. It returns an error if the response cannot be
// encoded.
func (r *route) succeed(ctx context.Context, w http.ResponseWriter, response any, header metadata.MD) error {
	ex := exchange.FromContext(ctx)
	status := r.SuccessStatus
	if ex != nil && ex.Status/100 == 2 {
		status = ex.Status
	}
	var body []byte
	if ex != nil && ex.Relay {
		body = ex.Body
	} else if status != http.StatusNoContent {
		var err error
		if body, err = r.encode(response); err != nil {
			return apierror.Internal(err, exchange.Done)
		}
	}
	h := w.Header()
	if values := header[contract.ReplayedKey]; len(values) > 0 {
		h[headerReplayed] = values
	}
	if status == http.StatusNoContent {
		body = nil
	} else {
		h["Content-Type"] = contentType
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails if the caller has disconnected
	return nil
}

// encode returns the response's body as JSON, for calls in which Diga sent no body.
func (r *route) encode(response any) ([]byte, error) {
	codec := r.Binding.Response
	if codec == nil {
		return []byte("{}"), nil
	}
	m, ok := response.(proto.Message)
	if !ok {
		var err error
		if m, err = newMessage(r.Descriptor.Output()); err != nil {
			return nil, err
		}
	}
	if field := r.Binding.ResponseField; field != nil {
		m = m.ProtoReflect().Get(field).Message().Interface()
	}
	return codec.AppendResponse(nil, m)
}

// fail writes the response to a failed call, and returns the call's error.
func (r *route) fail(ctx context.Context, w http.ResponseWriter, err error) error {
	e := apierror.FromError(err)
	resp := r.render(e)
	if ex := exchange.FromContext(ctx); ex != nil && ex.Relay && ex.Status >= 400 {
		resp.Status, resp.Body = ex.Status, ex.Body
	}
	resp.Write(w)
	return e
}

func (r *route) render(e *apierror.Error) apierror.RESTResponse {
	if i := slices.IndexFunc(e.Violations, func(v apierror.Violation) bool { return v.Field == string(requestIDField) }); i >= 0 && e.HTTPStatus == 0 {
		// The field request_id in gRPC is a header in REST.
		violations := slices.Clone(e.Violations)
		violations[i].Field = idempotencyField
		e = apierror.InvalidRequest(violations...)
	}
	return e.REST(r.locate)
}

// refuse writes the response to a request that is refused before anything was sent, and
// returns the error.
func refuse(w http.ResponseWriter, e *apierror.Error) error {
	e.REST((*route)(nil).locate).Write(w)
	return e
}
