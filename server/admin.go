package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strings"

	"github.com/digate/digate/server/httpserver"
	"github.com/digate/digate/server/ledger/listing"
	"github.com/digate/digate/server/lifecycle"
	"github.com/digate/digate/server/loglevel"
	"github.com/digate/digate/server/status"
)

// newAdmin returns the listener for those who run digate. It authenticates
// nobody and is meant for loopback, or a network that callers do not reach.
func (s *Server) newAdmin() *httpserver.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.telemetry.MetricsHandler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := s.notReady(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n"+s.warning())
	})
	page := status.Handler(s.status)
	mux.Handle("GET /{$}", page)
	mux.Handle("GET "+status.JSONPath, page)
	mux.Handle("GET "+listing.Path, s.telemetry.LedgerRead(listing.Handler(s.ledger)))
	if s.logLevel != nil {
		mux.Handle("GET "+loglevel.Path, s.logLevel)
		mux.Handle("PUT "+loglevel.Path, s.logLevel)
	}
	if s.cfg.Admin.Pprof {
		// Without the command line: it may hold a password.
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return s.newHTTP(s.telemetry.AdminMiddleware(s.knownHost(mux)))
}

// notReady returns why no calls should be sent to this server, empty if they should.
func (s *Server) notReady() string {
	if s.leaving.Load() {
		return "draining"
	}
	if lost := s.watch.Health().Lost; lost != "" && s.cfg.Admin.ReadyNeedsLedger {
		return "the ledger is lost: " + string(lost)
	}
	if why := s.auditFailing(); why != "" && s.audit.Required() {
		return why
	}
	if issuers, nobody := s.withoutKeys(); nobody {
		return "nobody can authenticate: " + neverRead(issuers)
	}
	return ""
}

// warning returns what operators should see although calls can be sent to this server,
// a line for each or nothing.
func (s *Server) warning() string {
	var lines strings.Builder
	if why := s.auditFailing(); why != "" {
		lines.WriteString(why + "\n")
	}
	if issuers, _ := s.withoutKeys(); len(issuers) > 0 {
		lines.WriteString(neverRead(issuers) + "\n")
	}
	return lines.String()
}

// auditFailing returns why the audit log cannot be written, empty if it can, or if
// there is none.
func (s *Server) auditFailing() string {
	if s.audit == nil {
		return ""
	}
	if cause := s.audit.State().Failing; cause != "" {
		return "the audit log cannot be written: " + cause
	}
	return ""
}

// knownHost returns a handler that refuses requests for a host which is neither an
// address, nor localhost, nor a name from the settings. A page in a browser on this
// machine could otherwise read the responses: under a name of its own that resolves
// to this machine (DNS rebinding).
func (s *Server) knownHost(next http.Handler) http.Handler {
	names := append(s.cfg.Admin.Hosts(), "localhost", hostName(s.cfg.AdminAddr))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := hostName(r.Host)
		_, err := netip.ParseAddr(name)
		// No browser leaves the host out, as HTTP/1.0 may.
		if err != nil && r.Host != "" && !slices.ContainsFunc(names, func(known string) bool { return strings.EqualFold(known, name) }) {
			http.Error(w, "this host is not served here: name it with --admin-hosts", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostName returns the name or address of a host, which may have a port.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// adminPart returns the admin side as a part of the server. It has nothing to
// Drain: metrics and readiness are there until the calls are done.
func (s *Server) adminPart(srv *httpserver.Server) *lifecycle.Part {
	return &lifecycle.Part{
		Name:  "admin listener",
		Serve: func(context.Context) error { return s.admin.serveHTTP(srv) },
		Close: func() error { _ = srv.Close(); s.admin.close(); return nil },
	}
}
