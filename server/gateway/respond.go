package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/exchange"
)

// responder writes the responses: Diga's own where Diga gave one, else ours in
// its shapes.
type responder struct{ routes *routes }

func (a *responder) route(ctx context.Context) *route {
	name, _ := runtime.RPCMethod(ctx)
	return a.routes.byName[name]
}

// forward writes the response to a call that succeeded. grpc-gateway, which would
// write the body after it, tells the process's log of each client that has left.
func (a *responder) forward(ctx context.Context, w http.ResponseWriter, resp proto.Message) error {
	ex, route := exchange.FromContext(ctx), a.route(ctx)
	status := route.SuccessStatus
	if ex != nil && ex.Status/100 == 2 {
		status = ex.Status
	}
	var body []byte
	if ex != nil && ex.Relay {
		body = ex.Body
	} else if status != http.StatusNoContent {
		m := resp
		if part, ok := resp.(interface{ XXX_ResponseBody() any }); ok {
			m = part.XXX_ResponseBody().(proto.Message)
		}
		c, err := digajson.Compile(m.ProtoReflect().Descriptor())
		if err != nil {
			return apierror.Internal(err, exchange.Done)
		}
		if body, err = c.AppendResponse(nil, m); err != nil {
			return apierror.Internal(err, exchange.Done)
		}
	}
	if status == http.StatusNoContent {
		body = nil
		w.Header().Del("Content-Type")
	} else {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
	return nil
}

// rewrite makes grpc-gateway write nothing after what forward wrote.
func (a *responder) rewrite(ctx context.Context, _ proto.Message) (any, error) {
	return stateFromContext(ctx), nil
}

// error writes the response to a call that failed.
func (a *responder) error(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
	if s := stateFromContext(ctx); s != nil && s.refused != nil {
		err = s.refused
	}
	if _, ok := errors.AsType[*runtime.HTTPStatusError](err); ok {
		err = apierror.RouteNotFound()
	}
	e := apierror.FromError(err)
	resp := a.render(ctx, e)
	if ex := exchange.FromContext(ctx); ex != nil && ex.Relay && ex.Status >= 400 {
		resp.Status, resp.Body = ex.Status, ex.Body
	}
	write(ctx, w, e, resp)
}

func (a *responder) render(ctx context.Context, e *apierror.Error) apierror.RESTResponse {
	if i := slices.IndexFunc(e.Violations, func(v apierror.Violation) bool { return v.Field == string(requestIDField) }); i >= 0 && e.HTTPStatus == 0 {
		// What gRPC calls request_id is a header here.
		violations := slices.Clone(e.Violations)
		violations[i].Field = idempotencyField
		e = apierror.InvalidRequest(violations...)
	}
	return e.REST(a.route(ctx).locate)
}

// write writes the response to a request that failed, and notes why it did.
func write(ctx context.Context, w http.ResponseWriter, e *apierror.Error, resp apierror.RESTResponse) {
	if s := stateFromContext(ctx); s != nil {
		s.err = e
	}
	resp.Write(w)
}

// refuse writes the response to a request of which nothing is begun, and returns
// its error.
func refuse(w http.ResponseWriter, e *apierror.Error) error {
	e.REST((*route)(nil).locate).Write(w)
	return e
}
