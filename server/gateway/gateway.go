// Package gateway serves the contract over REST. grpc-gateway routes each request to its
// RPC by the contract's google.api.http rules. The response is Diga's own body if Diga
// sent one, and otherwise JSON of the same form. The gateway calls the service through a
// [Channel]; it does not depend on the service's implementation.
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

// Channel calls the service.
type Channel interface {
	// Call calls a unary method. It calls decode to fill in the request. The response
	// must not be modified.
	Call(ctx context.Context, method string, decode func(request any) error) (response any, header metadata.MD, err error)
	// Serve calls a streaming method with the server side of a stream, and returns when
	// the method returns.
	Serve(ctx context.Context, method string, stream grpc.ServerStream) error
}

// Config is the configuration of the gateway.
type Config struct {
	Settings
	// Contract has the routes.
	Contract *contract.Contract
	// Channel calls the service.
	Channel Channel
	// MaxBody is the maximum size of a request's body, in bytes.
	MaxBody int64
	// Memory returns the share of the server's memory that a request may use. If nil,
	// memory is not limited.
	Memory func(context.Context) budget.Share
	// MaxDeadline is the longest deadline that a caller can set for a request.
	MaxDeadline time.Duration
	// Stall is how long the client of a bulk request may read nothing while the response
	// is written.
	Stall    time.Duration
	Observer Observer
}

// Observer observes every request. It must be safe for concurrent use.
type Observer interface {
	// Start begins to observe an operation, and returns the context for it. The gateway
	// calls end once, with the operation's exchange and error.
	Start(ctx context.Context, op exchange.Operation) (_ context.Context, end func(*exchange.Exchange, error))
}

// gateway holds what the handlers of the contract's REST routes share.
type gateway struct {
	observer Observer
	routes   *routes
	unary    *unary
	bulk     *bulk
	stream   *stream
	memory   func(context.Context) budget.Share
	timing   timing
}

// New returns the handler of the contract's REST routes. Requests must be authenticated
// before they reach it.
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

// pathValues are the values of path variables, by the name of the field.
type pathValues = map[string]string

// responder writes the response to a request. It returns an error if the request failed.
type responder func(ctx context.Context, w http.ResponseWriter, r *http.Request, values pathValues) error

// observe returns a handler that observes the requests for a method. The method is empty
// for requests that match no method.
func (g *gateway) observe(method string, respond responder) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, values pathValues) {
		ctx, end := g.observer.Start(r.Context(), exchange.Operation{Kind: exchange.RESTRequest, Method: method})
		var err error
		defer func() { end(exchange.FromContext(ctx), err) }() // also after a panic
		ctx, cancel, wrong := g.timing.context(ctx, w, r)
		defer cancel()
		if wrong != nil {
			err = refuse(w, wrong)
			return
		}
		err = respond(ctx, w, r, values)
	}
}

// responder returns the responder of a route.
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

// respondBulk responds to a bulk request.
func (g *gateway) respondBulk(ctx context.Context, w http.ResponseWriter, r *http.Request, _ pathValues) error {
	memory := g.share(ctx)
	defer memory.GiveBack()
	return g.bulk.serve(w, r.WithContext(ctx), &memory)
}

// share returns a request's share of the server's memory, with nothing used yet.
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

// noRoute responds to a request that matches no route: an OPTIONS request with the
// methods of the path, and any other with 404 if the path is unknown or 405 if it does
// not have the method.
func (g *gateway) noRoute(_ context.Context, w http.ResponseWriter, r *http.Request, _ pathValues) error {
	if r.Method == http.MethodOptions {
		return g.options(w, r)
	}
	verbs := g.routes.allowed(r.URL.Path)
	if len(verbs) == 0 || r.URL.Path == wholeServer {
		return refuse(w, apierror.RouteNotFound())
	}
	w.Header().Set("Allow", strings.Join(verbs, ", "))
	return refuse(w, apierror.MethodNotAllowed())
}
