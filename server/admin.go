package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
)

// newAdmin returns the listener for those who run digate. It authenticates
// nobody and is meant for loopback, or a network that callers do not reach.
func (s *Server) newAdmin() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.telemetry.MetricsHandler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-s.draining:
			http.Error(w, "draining", http.StatusServiceUnavailable)
		default:
			_, _ = io.WriteString(w, "ok\n")
		}
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       s.cfg.IdleTimeout,
		MaxHeaderBytes:    s.cfg.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// adminPart returns the admin side as a part of the server. It has nothing to
// drain: metrics and readiness are there until the calls are done.
func (s *Server) adminPart(srv *http.Server) *part {
	return &part{
		name:  "admin listener",
		serve: func(context.Context) error { return s.admin.serveHTTP(srv) },
		close: func() error { _ = srv.Close(); s.admin.close(); return nil },
	}
}
