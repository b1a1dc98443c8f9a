package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
)

// PublicRoute is a REST route that needs no credential and is not a method of the
// contract, such as a page of documentation. It accepts only GET and HEAD.
type PublicRoute struct {
	// Path is the whole path, decoded. All escaped forms of the path match it.
	Path    string
	Handler http.Handler
	// Strangers limits the route to GET and HEAD without an Authorization header. All other
	// requests go to Next.
	Strangers bool
}

// takes reports whether the route serves a request for its path.
func (p PublicRoute) takes(r *http.Request) bool {
	return !p.Strangers || reads(r) && r.Header["Authorization"] == nil
}

func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// PublicConfig is the configuration of the public routes.
type PublicConfig struct {
	// Contract has the methods. No public route may have the path of one.
	Contract *contract.Contract
	// Origins are the origins of web pages that may call all routes from a browser.
	Origins []string
	Routes  []PublicRoute
	// IsCall reports whether a path is that of a call over Connect or gRPC-Web. If nil,
	// no path is.
	IsCall func(path string) bool
	// MaxBody is the maximum size of a request's body, in bytes.
	MaxBody  int64
	Observer Observer
	// Next serves all other requests. It must authenticate them.
	Next http.Handler
}

// public serves the public routes, keyed by path.
type public struct {
	PublicConfig
	routes map[string]PublicRoute
}

// NewPublic returns a handler that serves the public routes and CORS preflight requests,
// and passes all other requests to cfg.Next. The error names each route whose path is
// malformed or already taken.
func NewPublic(cfg PublicConfig) (http.Handler, error) {
	contracts := newRoutes(cfg.Contract)
	if len(cfg.Origins) > 0 {
		if cfg.IsCall == nil {
			cfg.IsCall = func(string) bool { return false }
		}
		cfg.Next = &cors{origins: cfg.Origins, routes: contracts, isCall: cfg.IsCall, next: cfg.Next}
	}
	if len(cfg.Routes) == 0 {
		return cfg.Next, nil
	}
	p := &public{PublicConfig: cfg, routes: make(map[string]PublicRoute)}
	var errs []error
	for _, r := range cfg.Routes {
		u, err := url.ParseRequestURI(r.Path)
		switch {
		case err != nil || u.EscapedPath() != r.Path:
			errs = append(errs, fmt.Errorf("public route %q: is no path", r.Path))
		case p.routes[u.Path].Handler != nil:
			errs = append(errs, fmt.Errorf("public route %q: is there twice", r.Path))
		case len(contracts.allowed(u.Path)) > 0:
			errs = append(errs, fmt.Errorf("public route %q: hides a route of the contract", r.Path))
		default:
			p.routes[u.Path] = r
		}
	}
	return p, errors.Join(errs...)
}

// ServeHTTP implements [http.Handler].
func (p *public) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route, ok := p.routes[r.URL.Path]
	if !ok || !route.takes(r) {
		p.Next.ServeHTTP(w, r)
		return
	}
	ctx, end := p.Observer.Start(r.Context(), exchange.Operation{Kind: exchange.RESTRequest})
	var err error
	defer func() { end(exchange.FromContext(ctx), err) }()
	if !reads(r) {
		w.Header().Set("Allow", "GET, HEAD")
		err = refuse(w, apierror.MethodNotAllowed())
		return
	}
	r = r.WithContext(ctx)
	r.Body = http.MaxBytesReader(w, r.Body, p.MaxBody)
	route.Handler.ServeHTTP(w, r)
}
