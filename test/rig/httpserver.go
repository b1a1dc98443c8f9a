package rig

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// HTTPServer serves HTTP on a loopback port.
type HTTPServer struct {
	server *http.Server
	addr   string
	ended  chan struct{}
}

// NewHTTPServer starts a server.
func NewHTTPServer(handler http.Handler) (*HTTPServer, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &HTTPServer{
		server: &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute},
		addr:   ln.Addr().String(), ended: make(chan struct{}),
	}
	go func() {
		defer close(s.ended)
		_ = s.server.Serve(ln)
	}()
	return s, nil
}

// Addr returns the address.
func (s *HTTPServer) Addr() string { return s.addr }

// URL returns the base URL.
func (s *HTTPServer) URL() string { return "http://" + s.addr }

// Close ends the server when the requests under way are done.
func (s *HTTPServer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.server.Close())
	}
	<-s.ended
	return err
}
