// Package gateway is the REST side: grpc-gateway routes a request to its RPC by the
// contract's google.api.http rules, and the response is Diga's own body where there is
// one. The gateway knows the contract and a channel to call it through, and not what
// serves the channel.
package gateway

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
)

// Channel carries calls to the service.
type Channel interface {
	// Call calls a unary method, whose request decode fills in. The response must not
	// be changed.
	Call(ctx context.Context, method string, decode func(request any) error) (response any, header metadata.MD, err error)
	// Serve calls a streaming method with the server's end of a stream, and returns
	// when the method has.
	Serve(ctx context.Context, method string, stream grpc.ServerStream) error
}

// Config is what the gateway needs.
type Config struct {
	Settings
	// Contract says which routes there are.
	Contract *contract.Contract
	// Channel carries the calls to the service.
	Channel Channel
	// MaxBody bounds a request's body, in bytes.
	MaxBody int64
	// Memory returns the share of the server's memory that a request has; nil for no
	// bound.
	Memory func(context.Context) budget.Share
	// MaxDeadline bounds the time that a caller gives a request.
	MaxDeadline time.Duration
	// Stall is how long the client of a bulk request may take nothing of the
	// response.
	Stall    time.Duration
	Observer Observer
}

// Observer observes every request. It may be used by many goroutines.
type Observer interface {
	// Start begins the observation of an operation, which runs under the returned
	// context. The caller ends the observation once, with the operation's exchange
	// and error.
	Start(ctx context.Context, op exchange.Operation) (_ context.Context, end func(*exchange.Exchange, error))
}

// gateway is the handler of every REST route of the contract.
type gateway struct {
	observer Observer
	routes   *routes
	unary    *unary
	bulk     *bulk
	stream   *stream
	memory   func(context.Context) budget.Share
	timing   timing
}

// New returns the handler of every REST route of the contract. A request that
// reaches it must have been authenticated.
func New(cfg Config) (http.Handler, error) {
	many, err := newBulk(cfg)
	if err != nil {
		return nil, err
	}
	g := &gateway{
		observer: cfg.Observer, routes: newRoutes(cfg.Contract), memory: cfg.Memory, timing: timing{cfg.MaxDeadline, cfg.Stall},
		unary: &unary{cfg.Channel, cfg.MaxBody}, bulk: many, stream: &stream{channel: cfg.Channel, stall: cfg.Stall},
	}
	return g.mount()
}

// pathValues are the values of the fields in a path, by the field's name.
type pathValues = map[string]string

// responder writes the response to a request, and returns why the request failed.
type responder func(ctx context.Context, w http.ResponseWriter, r *http.Request, values pathValues) error

// observed returns the handler of the requests for a method, which is empty where the
// request asks for none.
func (g *gateway) observed(method string, respond responder) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, values pathValues) {
		ctx, end := g.observer.Start(r.Context(), exchange.Operation{Kind: exchange.RESTRequest, Method: method})
		var err error
		defer func() { end(exchange.FromContext(ctx), err) }() // a panic ends it too
		ctx, cancel, wrong := g.timing.of(ctx, w, r)
		defer cancel()
		if wrong != nil {
			err = refuse(w, wrong)
			return
		}
		err = respond(ctx, w, r, values)
	}
}

// responder returns what responds to the requests of a route.
func (g *gateway) responder(route *route) responder {
	if !route.Unary {
		return func(ctx context.Context, w http.ResponseWriter, r *http.Request, values pathValues) error {
			return g.stream.serve(w, r.WithContext(ctx), route, values)
		}
	}
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, values pathValues) error {
		memory := g.share(ctx)
		defer memory.GiveBack()
		return g.unary.serve(ctx, w, r, route, values, &memory)
	}
}

// many responds to a bulk request.
func (g *gateway) many(ctx context.Context, w http.ResponseWriter, r *http.Request, _ pathValues) error {
	memory := g.share(ctx)
	defer memory.GiveBack()
	return g.bulk.serve(w, r.WithContext(ctx), &memory)
}

// share returns what a request takes of the server's memory: nothing yet.
func (g *gateway) share(ctx context.Context) budget.Share {
	if g.memory == nil {
		return budget.Share{}
	}
	return g.memory(ctx)
}

// options responds with the methods of the path.
func (g *gateway) options(w http.ResponseWriter, r *http.Request) error {
	verbs := g.routes.allowed(r.URL.Path)
	if len(verbs) == 0 {
		return refuse(w, apierror.RouteNotFound())
	}
	w.Header().Set("Allow", strings.Join(verbs, ", "))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// noRoute responds to a request that no route takes: one for the methods of a path
// (OPTIONS), or one whose path is unknown (404) or does not have its method (405).
func (g *gateway) noRoute(_ context.Context, w http.ResponseWriter, r *http.Request, _ pathValues) error {
	if r.Method == http.MethodOptions {
		return g.options(w, r)
	}
	verbs := g.routes.allowed(r.URL.Path)
	if len(verbs) == 0 || r.URL.Path == everywhere {
		return refuse(w, apierror.RouteNotFound())
	}
	w.Header().Set("Allow", strings.Join(verbs, ", "))
	return refuse(w, apierror.MethodNotAllowed())
}
