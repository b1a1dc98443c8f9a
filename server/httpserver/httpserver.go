// Package httpserver wraps the server of net/http, and corrects the cases in which a
// client would lose a response or the outcome in it.
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

// Server is an HTTP server. Its ConnState must not be replaced.
type Server struct {
	http.Server

	busy *busy
}

// Limits are the limits on the requests and connections of a server.
type Limits struct {
	// ReadTimeout is how long a request may take to arrive.
	ReadTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request.
	IdleTimeout time.Duration
	// MaxHeaderBytes is the maximum size of a header.
	MaxHeaderBytes int
}

// New returns a server with these limits. The log gets net/http's own messages.
func New(handler http.Handler, l Limits, log slog.Handler) *Server {
	s := &Server{busy: newBusy()}
	s.Handler = closeChunked(handler)
	// OPTIONS * is passed to the handler like any other request.
	s.DisableGeneralOptionsHandler = true
	s.ReadHeaderTimeout = min(readHeaderTimeout, l.ReadTimeout)
	s.ReadTimeout = l.ReadTimeout
	s.IdleTimeout = l.IdleTimeout
	s.MaxHeaderBytes = l.MaxHeaderBytes
	s.ErrorLog = slog.NewLogLogger(log, slog.LevelDebug)
	s.ConnState = s.busy.changed
	return s
}

// ServePlain is Serve for plain-text connections.
func (s *Server) ServePlain(ln net.Listener) error {
	return s.Serve(&headerTimeListener{ln, s.ReadHeaderTimeout})
}

// shutdownRound is how long a shutdown may take before it looks for connections that it
// missed.
const shutdownRound = 500 * time.Millisecond

// Drain closes the connections as soon as they have no request in progress. It must be
// called after Serve returned, so that the server has every accepted connection.
//
// net/http's Shutdown announces the end only on the HTTP/2 connections that exist at its
// beginning, and then waits for all: it would wait for an accepted connection that has
// not begun HTTP/2 yet until its client disconnects.
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
