package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// readHeaderTimeout is how long a request's header may take to arrive.
const readHeaderTimeout = 5 * time.Second

// newHTTP returns a server with the limits that REST and the admin listener share.
func (s *Server) newHTTP(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: closeChunked(handler),
		// OPTIONS * is a request like any other: the handler responds to it.
		DisableGeneralOptionsHandler: true,

		ReadHeaderTimeout: min(readHeaderTimeout, s.cfg.ReadTimeout),
		ReadTimeout:       s.cfg.ReadTimeout,
		IdleTimeout:       s.cfg.IdleTimeout,
		MaxHeaderBytes:    s.cfg.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
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
