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

// newAdmin returns the HTTP server of the admin listener. It authenticates nobody: it is
// meant for loopback, or for a network that callers cannot reach.
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
		// pprof's command line page is not served: the command line may contain a
		// password.
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return s.newHTTP(s.telemetry.AdminMiddleware(s.requireKnownHost(mux)))
}

// notReady returns why the server should get no calls. It is empty if the server is
// ready.
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
	if issuers, nobody := s.issuersWithoutKeys(); nobody {
		return "nobody can authenticate: " + neverRead(issuers)
	}
	return ""
}

// warning returns what operators should know about a server that is ready, one problem
// per line. It is empty if there is no problem.
func (s *Server) warning() string {
	var lines strings.Builder
	if why := s.auditFailing(); why != "" {
		lines.WriteString(why + "\n")
	}
	if issuers, _ := s.issuersWithoutKeys(); len(issuers) > 0 {
		lines.WriteString(neverRead(issuers) + "\n")
	}
	return lines.String()
}

// auditFailing returns why the audit log cannot be written. It is empty if the log can be
// written or there is none.
func (s *Server) auditFailing() string {
	if s.audit == nil {
		return ""
	}
	if cause := s.audit.State().Failing; cause != "" {
		return "the audit log cannot be written: " + cause
	}
	return ""
}

// requireKnownHost wraps next to refuse requests whose host is neither an IP address, nor
// localhost, nor a name from the settings. It protects against DNS rebinding: a web page
// that resolves its own name to this machine could otherwise read the responses.
func (s *Server) requireKnownHost(next http.Handler) http.Handler {
	names := append(s.cfg.Admin.Hosts(), "localhost", hostName(s.cfg.AdminAddr))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := hostName(r.Host)
		_, err := netip.ParseAddr(name)
		// Only HTTP/1.0 allows a request without a host, and no browser sends one.
		if err != nil && r.Host != "" && !slices.ContainsFunc(names, func(known string) bool { return strings.EqualFold(known, name) }) {
			http.Error(w, "this host is not served here: name it with --admin-hosts", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostName returns the name or address of a host, without the port.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// adminPart returns the admin listener as a part of the server. It has no Drain: metrics
// and readiness are served until all calls have ended.
func (s *Server) adminPart(srv *httpserver.Server) *lifecycle.Part {
	return &lifecycle.Part{
		Name:  "admin listener",
		Serve: func(context.Context) error { return s.admin.serveHTTP(srv) },
		Close: func() error { _ = srv.Close(); s.admin.close(); return nil },
	}
}
