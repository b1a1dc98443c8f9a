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

// PublicRoute is a REST route that needs no credential and is no method of the
// contract, such as a page of documentation. It can be read (GET, HEAD) and
// nothing else.
type PublicRoute struct {
	// Path is the whole path, as in a URL. However a request escapes it, it is the
	// same path.
	Path    string
	Handler http.Handler
	// Strangers leaves every request to Next but a read without an Authorization header.
	Strangers bool
}

// takes reports whether a request for the route's path is the route's.
func (p PublicRoute) takes(r *http.Request) bool {
	return !p.Strangers || reads(r) && r.Header["Authorization"] == nil
}

func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// PublicConfig is what public routes need.
type PublicConfig struct {
	// Contract holds the methods that no public route may hide.
	Contract *contract.Contract
	// Origins are those of the web pages that may call every route from a browser.
	Origins []string
	Routes  []PublicRoute
	// IsCall reports whether a path is that of a call over Connect or gRPC-Web; nil for none.
	IsCall func(path string) bool
	// MaxBody bounds a request's body, in bytes.
	MaxBody  int64
	Observer Observer
	// Next serves every other request. Authentication belongs there.
	Next http.Handler
}

// public serves the public routes, by their path.
type public struct {
	PublicConfig
	routes map[string]PublicRoute
}

// NewPublic returns a handler that serves the public routes and what browsers ask
// before a page's request, and every other request with cfg.Next. The error names
// each route that is no path or that is there already.
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
