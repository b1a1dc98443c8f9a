package server

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/digate/digate/server/handshake"
	"github.com/digate/digate/server/httpserver"
	"github.com/digate/digate/test/await"
)

// identity returns the settings of a TLS server and of a client that trusts it.
func identity(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	donor := httptest.NewTLSServer(http.NotFoundHandler())
	defer donor.Close()
	roots := x509.NewCertPool()
	roots.AddCert(donor.Certificate())
	return &tls.Config{Certificates: donor.TLS.Certificates, MinVersion: tls.VersionTLS12}, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// bound returns a listener on a free port of loopback.
func bound(t *testing.T, config *tls.Config) *listener {
	t.Helper()
	l := &listener{flag: "addr", addr: "127.0.0.1:0", tls: new(listenerTLS)}
	config = config.Clone()
	config.NextProtos = []string{http2Protocol, http1Protocol}
	l.tls.current.Store(config)
	l.tls.Config = handshake.Config{TLS: l.tls.current.Load, Timeout: await.Patience, MaxPending: 10}
	if err := l.bind(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return l
}

func request(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestListener_WithTLS_ServesHTTPOverTLSAlone(t *testing.T) {
	t.Parallel()
	serverTLS, clientTLS := identity(t)
	l := bound(t, serverTLS)
	var protocol string
	srv := httpserver.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			t.Error("the request has no TLS state")
		}
		protocol = r.Proto
		_, _ = io.WriteString(w, "served")
	}), httpserver.Limits{ReadTimeout: await.Patience}, slog.DiscardHandler)
	served := make(chan error, 1)
	go func() { served <- l.serveHTTP(srv) }()
	transport := &http.Transport{TLSClientConfig: clientTLS, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(request(t, "https://"+l.ln.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || string(body) != "served" || protocol != "HTTP/2.0" {
		t.Errorf("got %q over %s, %v", body, protocol, err)
	}
	plain := &http.Transport{}
	defer plain.CloseIdleConnections()
	if resp, err := plain.RoundTrip(request(t, "http://"+l.ln.Addr().String())); err == nil {
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Error("served in plain text too")
		}
	}
	_ = srv.Close()
	if err := <-served; err != nil {
		t.Errorf("serveHTTP: %v", err)
	}
}

func TestListener_WithTLS_ServesGRPCOverTLSAlone(t *testing.T) {
	t.Parallel()
	serverTLS, clientTLS := identity(t)
	l := bound(t, serverTLS)
	srv := grpc.NewServer(grpc.Creds(l.credentials()))
	healthv1.RegisterHealthServer(srv, health.NewServer())
	served := make(chan error, 1)
	go func() { served <- l.serveGRPC(srv) }()
	check := func(c credentials.TransportCredentials) error {
		conn, err := grpc.NewClient(l.ln.Addr().String(), grpc.WithTransportCredentials(c))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, err = healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
		return err
	}
	if err := check(credentials.NewTLS(clientTLS)); err != nil {
		t.Errorf("over TLS: %v", err)
	}
	if err := check(insecure.NewCredentials()); err == nil {
		t.Error("served in plain text too")
	}
	srv.Stop()
	if err := <-served; err != nil {
		t.Errorf("serveGRPC: %v", err)
	}
}
