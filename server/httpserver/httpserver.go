// Package httpserver has a server of net/http, and mends what net/http does where a client
// would lose a response, or the verdict in it.
package httpserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// readHeaderTimeout is how long a request's header may take to arrive.
const readHeaderTimeout = 5 * time.Second

// Server is an HTTP server. Its ConnState is its own.
type Server struct {
	http.Server

	busy *busy
}

// Limits bound the requests and the connections of a server.
type Limits struct {
	// ReadTimeout is how long a request may take to arrive.
	ReadTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request.
	IdleTimeout time.Duration
	// MaxHeaderBytes is the size of the largest header.
	MaxHeaderBytes int
}

// New returns a server with these limits. Its log is for those who look for a mistake.
func New(handler http.Handler, l Limits, log slog.Handler) *Server {
	s := &Server{busy: newBusy()}
	s.Handler = closeChunked(handler)
	// OPTIONS * is a request like any other: the handler responds to it.
	s.DisableGeneralOptionsHandler = true
	s.ReadHeaderTimeout = min(readHeaderTimeout, l.ReadTimeout)
	s.ReadTimeout = l.ReadTimeout
	s.IdleTimeout = l.IdleTimeout
	s.MaxHeaderBytes = l.MaxHeaderBytes
	s.ErrorLog = slog.NewLogLogger(log, slog.LevelDebug)
	s.ConnState = s.busy.changed
	return s
}

// ServePlain is Serve for connections in plain text.
func (s *Server) ServePlain(ln net.Listener) error {
	return s.Serve(&headerTimeListener{ln, s.ReadHeaderTimeout})
}

// shutdownRound is how long a shutdown may take before it looks for connections that
// it missed.
const shutdownRound = 500 * time.Millisecond

// Drain ends the connections as soon as no request is under way on them. It must begin
// after Serve returned, so that the server has every connection that was accepted.
//
// net/http says goodbye to the HTTP/2 connections that are there when a shutdown begins,
// and waits for all: one that was accepted and did not yet speak HTTP/2 would be waited for
// until its client leaves.
func (s *Server) Drain() {
	s.SetKeepAlivesEnabled(false)
	s.busy.wait()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownRound)
		err := s.Shutdown(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			return
		}
	}
}
