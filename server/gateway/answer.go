package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/exchange"
)

// answerer writes the answers: the vendor's own where it gave one, else ours in
// its shapes.
type answerer struct {
	routes *routes
	failed func(ctx context.Context, method string, err error)
}

func (a *answerer) route(ctx context.Context) *route {
	name, _ := runtime.RPCMethod(ctx)
	return a.routes.byName[name]
}

// forward begins the answer to a call that succeeded.
func (a *answerer) forward(ctx context.Context, w http.ResponseWriter, resp proto.Message) error {
	s, ex, route := stateFromContext(ctx), exchange.FromContext(ctx), a.route(ctx)
	status := route.SuccessStatus
	if ex != nil && ex.Status/100 == 2 {
		status = ex.Status
	}
	if ex != nil && ex.Relay {
		s.body = ex.Body
	} else if status != http.StatusNoContent {
		m := resp
		if part, ok := resp.(interface{ XXX_ResponseBody() any }); ok {
			m = part.XXX_ResponseBody().(proto.Message)
		}
		c, err := digajson.Compile(m.ProtoReflect().Descriptor())
		if err != nil {
			return apierror.Internal(err, exchange.Done)
		}
		if s.body, err = c.AppendResponse(nil, m); err != nil {
			return apierror.Internal(err, exchange.Done)
		}
	}
	if status == http.StatusNoContent {
		s.body = nil
		w.Header().Del("Content-Type")
	} else {
		w.Header().Set("Content-Length", strconv.Itoa(len(s.body)))
	}
	w.WriteHeader(status)
	return nil
}

// rewrite makes grpc-gateway write the body that forward settled on.
func (a *answerer) rewrite(ctx context.Context, _ proto.Message) (any, error) {
	return rendered(stateFromContext(ctx).body), nil
}

// error answers a call that failed.
func (a *answerer) error(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
	if s := stateFromContext(ctx); s != nil && s.refused != nil {
		err = s.refused
	}
	if _, ok := errors.AsType[*runtime.HTTPStatusError](err); ok {
		err = apierror.RouteNotFound()
	}
	e := apierror.FromError(err)
	answer := a.render(ctx, e)
	if ex := exchange.FromContext(ctx); ex != nil && ex.Relay && ex.Status >= 400 {
		answer.Status, answer.Body = ex.Status, ex.Body
	}
	a.write(ctx, w, e, answer)
}

func (a *answerer) render(ctx context.Context, e *apierror.Error) apierror.RESTResponse {
	if i := slices.IndexFunc(e.Violations, func(v apierror.Violation) bool { return v.Field == string(requestIDField) }); i >= 0 && e.HTTPStatus == 0 {
		// What gRPC calls request_id is a header here.
		violations := slices.Clone(e.Violations)
		violations[i].Field = idempotencyField
		e = apierror.InvalidRequest(violations...)
	}
	return e.REST(a.route(ctx).locate)
}

// routingError answers a request that is nobody's.
func (a *answerer) routingError(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, status int) {
	e := apierror.RouteNotFound()
	if status == http.StatusMethodNotAllowed {
		e = apierror.MethodNotAllowed()
		w.Header().Set("Allow", strings.Join(a.routes.allowed(r.URL.EscapedPath()), ", "))
	}
	a.write(ctx, w, e, e.REST(nil))
}

func (a *answerer) write(ctx context.Context, w http.ResponseWriter, e *apierror.Error, answer apierror.RESTResponse) {
	method, _ := runtime.RPCMethod(ctx)
	a.failed(ctx, method, e)
	answer.Write(w)
}
