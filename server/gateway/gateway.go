// Package gateway is the REST side: grpc-gateway routes a request to its RPC,
// and the response is Diga's own body where there is one. The gateway knows the
// contract and a channel to call it through, and not what serves the channel.
package gateway

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
)

// Channel carries calls to the service.
type Channel interface {
	// Invoke calls a unary method.
	grpc.ClientConnInterface
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
	observer  Observer
	routes    *routes
	responder *responder
	mux       *runtime.ServeMux
	bulk      *bulk
	maxBody   int64
}

// New returns the handler of every REST route of the contract. A request that
// reaches it must have been authenticated.
func New(ctx context.Context, cfg Config) (http.Handler, error) {
	routes := newRoutes(cfg.Contract)
	setQueryParser()
	a := &responder{routes}
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &marshaler{codecsOf(routes)}),
		runtime.WithErrorHandler(a.error),
		runtime.WithRoutingErrorHandler(a.routingError),
		runtime.WithForwardResponseOption(a.forward),
		runtime.WithForwardResponseRewriter(a.rewrite),
		runtime.WithOutgoingHeaderMatcher(replayedHeader),
		// A segment is split off before it is unescaped, so that %2F stays
		// within its value.
		runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptReserved),
	)
	client := integrationv1.NewIntegrationServiceClient(channel{cfg.Channel, routes})
	if err := integrationv1.RegisterIntegrationServiceHandlerClient(ctx, mux, client); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	many, err := newBulk(cfg)
	if err != nil {
		return nil, err
	}
	return &gateway{observer: cfg.Observer, routes: routes, responder: a, mux: mux, bulk: many, maxBody: cfg.MaxBody}, nil
}

// ServeHTTP implements [http.Handler].
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := g.method(r)
	ctx, end := g.observer.Start(r.Context(), exchange.Operation{Kind: exchange.RESTRequest, Method: method})
	var err error
	defer func() { end(exchange.FromContext(ctx), err) }() // a panic ends it too
	if r.URL.Path == BulkPath {
		err = g.bulk.serve(w, r.WithContext(ctx))
		return
	}
	request, s := newRequest(ctx, w, r, g.maxBody)
	if method == "" && len(g.routes.allowed(r.URL.EscapedPath())) == 0 {
		// grpc-gateway would take an empty segment for a field's value.
		g.responder.notFound(request.Context(), w)
	} else {
		g.mux.ServeHTTP(w, request)
	}
	err = s.err
}

// method returns the full gRPC name of what a request asks for, empty if it has
// no route.
func (g *gateway) method(r *http.Request) string {
	if r.URL.Path == BulkPath {
		return bulkMethod
	}
	if route := g.routes.find(r.Method, r.URL.EscapedPath()); route != nil {
		return route.FullName
	}
	return ""
}
