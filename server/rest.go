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

// maxRESTStreams bounds the requests under way on one HTTP/2 connection. A request that
// never arrives holds a goroutine, and strangers may send it.
const maxRESTStreams = 100

// newRoutes returns the handler of every REST route: those of the contract, behind
// authentication, and the public ones. Calls, if it is not nil, are served too.
func (s *Server) newRoutes(contracts http.Handler, calls *web.Handler, opts Options) (http.Handler, error) {
	refuse := func(w http.ResponseWriter, r *http.Request, err error) {
		_, end := s.telemetry.Start(r.Context(), exchange.Operation{Kind: exchange.RESTRequest, Method: askedOf(s.contract, r)})
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

// newHTTP returns a server with the limits that REST and the admin listener share.
func (s *Server) newHTTP(handler http.Handler) *httpserver.Server {
	return httpserver.New(handler, httpserver.Limits{
		ReadTimeout: s.cfg.ReadTimeout, IdleTimeout: s.cfg.IdleTimeout, MaxHeaderBytes: s.cfg.MaxHeaderBytes,
	}, s.log.Handler())
}

// newREST returns the REST side: HTTP/1.1, and HTTP/2 for clients that know that it is
// spoken here. Nothing in front of the routes cleans or redirects a path, as
// http.ServeMux would.
func (s *Server) newREST(routes http.Handler) *httpserver.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	s.telemetry.BeforeResponse(s.sendAway)
	srv := s.newHTTP(routes)
	srv.Handler = s.telemetry.Middleware(httpserver.ReadOn(srv.Handler, s.cfg.MaxRequestBytes))
	srv.Protocols = protocols
	srv.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: int(min(s.cfg.MaxStreams, maxRESTStreams))}
	srv.WriteTimeout = s.defaultDeadline()
	srv.ConnContext = knowPeer
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
