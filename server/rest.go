package server

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/clientcontract"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/httpserver"
	"github.com/digate/digate/server/lifecycle"
	"github.com/digate/digate/server/openapi"
	"github.com/digate/digate/server/openapi/viewer"
	"github.com/digate/digate/server/web"
)

// maxRESTStreams is the limit on concurrent requests in one HTTP/2 connection. A request
// whose body never arrives holds a goroutine, and anybody may send one.
const maxRESTStreams = 100

// newRoutes returns the handler of all REST routes: the contract's, which require
// authentication, and the public ones. It also serves calls unless that is nil.
func (s *Server) newRoutes(contracts http.Handler, calls *web.Handler, opts Options) (http.Handler, error) {
	refuse := func(w http.ResponseWriter, r *http.Request, err error) {
		_, end := s.telemetry.Start(r.Context(), exchange.Operation{Kind: exchange.RESTRequest, Method: requestedMethod(s.contract, r)})
		end(nil, err)
		apierror.FromError(err).REST(nil).Write(w)
	}
	public := slices.Clone(opts.Public)
	offered := openapi.Handlers()
	maps.Copy(offered, clientcontract.Handlers())
	if s.cfg.Gateway.Docs {
		pages, err := viewer.Handlers(opts.Docs)
		if err != nil {
			return nil, err
		}
		maps.Copy(offered, pages)
		public = append(public, gateway.PublicRoute{Path: "/", Handler: http.HandlerFunc(viewer.FromRoot), Strangers: true})
	}
	for path, handler := range offered {
		public = append(public, gateway.PublicRoute{Path: path, Handler: handler})
	}
	cfg := gateway.PublicConfig{
		Contract: s.contract, Origins: s.cfg.Gateway.Origins(), Routes: public, MaxBody: s.cfg.MaxRequestBytes, Observer: s.telemetry,
		Next: authn.Middleware(s.authenticator, contracts, refuse),
	}
	if calls != nil {
		calls.Next, cfg.Next, cfg.IsCall = cfg.Next, calls, calls.Has
	}
	return gateway.NewPublic(cfg)
}

// newHTTP returns an HTTP server with the limits that the REST and admin listeners share.
func (s *Server) newHTTP(handler http.Handler) *httpserver.Server {
	return httpserver.New(handler, httpserver.Limits{
		ReadTimeout: s.cfg.ReadTimeout, IdleTimeout: s.cfg.IdleTimeout, MaxHeaderBytes: s.cfg.MaxHeaderBytes,
	}, s.log.Handler())
}

// newREST returns the HTTP server of the REST listener. It speaks HTTP/1.1, and HTTP/2 if
// the client starts with it. Paths are not cleaned or redirected, as http.ServeMux would
// do.
func (s *Server) newREST(routes http.Handler) *httpserver.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	s.telemetry.BeforeResponse(s.closeIfLeaving)
	srv := s.newHTTP(routes)
	srv.Handler = s.telemetry.Middleware(httpserver.ReadOn(srv.Handler, s.cfg.MaxRequestBytes))
	srv.Protocols = protocols
	srv.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: int(min(s.cfg.MaxStreams, maxRESTStreams))}
	srv.WriteTimeout = s.defaultDeadline()
	srv.ConnContext = withPeer
	return srv
}

// restPart returns the REST side as a part of the server.
func (s *Server) restPart(srv *httpserver.Server) *lifecycle.Part {
	p := &lifecycle.Part{
		Name:  "REST listener",
		Serve: func(context.Context) error { return s.rest.serveHTTP(srv) },
		Close: func() error { _ = srv.Close(); s.rest.close(); return nil },
	}
	p.Drain = func() {
		s.rest.leave()
		p.AwaitServed()
		srv.Drain()
	}
	return p
}
