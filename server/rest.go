package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/gateway"
)

// readHeaderTimeout is how long a request's header may take to arrive.
const readHeaderTimeout = 5 * time.Second

// maxRESTStreams bounds the requests under way on one HTTP/2 connection. A request that
// never arrives holds a goroutine, and strangers may send it.
const maxRESTStreams = 100

// newRoutes returns the handler of every REST route: those of the contract, behind
// authentication, and the public ones.
func (s *Server) newRoutes(contracts http.Handler, public []gateway.PublicRoute) (http.Handler, error) {
	refuse := func(w http.ResponseWriter, r *http.Request, err error) {
		_, end := s.telemetry.Start(r.Context(), exchange.Operation{Kind: exchange.RESTRequest})
		end(nil, err)
		apierror.FromError(err).REST(nil).Write(w)
	}
	return gateway.NewPublic(gateway.PublicConfig{
		Contract: s.contract, Origins: s.cfg.Gateway.Origins(), Routes: public, MaxBody: s.cfg.MaxRequestBytes, Observer: s.telemetry,
		Next: authn.Middleware(s.authenticator, contracts, refuse),
	})
}

// newREST returns the REST side: HTTP/1.1, and HTTP/2 for clients that know that it is
// spoken here. Nothing in front of the routes cleans or redirects a path, as
// http.ServeMux would.
func (s *Server) newREST(routes http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:   s.telemetry.Middleware(s.readOn(closeChunked(routes))),
		Protocols: protocols,
		HTTP2:     &http.HTTP2Config{MaxConcurrentStreams: int(min(s.cfg.MaxStreams, maxRESTStreams))},
		// The routes respond to OPTIONS * as to any other request.
		DisableGeneralOptionsHandler: true,

		ReadHeaderTimeout: min(readHeaderTimeout, s.cfg.ReadTimeout),
		ReadTimeout:       s.cfg.ReadTimeout,
		WriteTimeout:      s.defaultDeadline(),
		IdleTimeout:       s.cfg.IdleTimeout,
		MaxHeaderBytes:    s.cfg.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// restPart returns the REST side as a part of the server.
func (s *Server) restPart(srv *http.Server) *part {
	return &part{
		name:  "REST listener",
		serve: func(context.Context) error { return s.rest.serveHTTP(srv) },
		drain: func() { shutDown(srv) },
		close: func() error { _ = srv.Close(); s.rest.close(); return nil },
	}
}

// shutdownRound is how long a shutdown may take before it looks for connections that
// it missed.
const shutdownRound = 500 * time.Millisecond

// shutDown drains a server. net/http says goodbye to the HTTP/2 connections that are
// there when a shutdown begins, and waits for all: one that was accepted and did not
// yet speak HTTP/2 would be waited for until its client leaves.
func shutDown(srv *http.Server) {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownRound)
		err := srv.Shutdown(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			return
		}
	}
}
