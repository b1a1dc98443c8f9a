package server

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc/peer"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/handshake"
	"github.com/digate/digate/server/lifecycle"
	"github.com/digate/digate/server/peers"
	"github.com/digate/digate/server/setting"
)

const (
	// handshakeTimeout is how long a TLS handshake may take.
	handshakeTimeout = 10 * time.Second
	// One in handshakeShare of --max-connections may be in a handshake, and at least
	// leastHandshakes. Beyond that, the oldest handshake is ended, so that stalled
	// handshakes do not block new ones.
	handshakeShare  = 4
	leastHandshakes = 64
)

// notTLS is the response to a client that sends HTTP to a listener with TLS. The request
// is not read.
const notTLS = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\nDigate-Outcome: NOT_SENT\r\n\r\n" +
	`{"status":"error","error_code":"` + apierror.ReasonTLSRequired + `","message":"this port speaks TLS: use https://"}` + "\n"

// The ALPN names of the protocols that the listeners speak.
const (
	http2Protocol = "h2"
	http1Protocol = "http/1.1"
)

// openCertificates loads the certificates for the listeners with TLS, and puts the watch
// of their files on the stack.
func (s *Server) openCertificates() (err error) {
	if !s.cfg.TLS.Enabled() {
		return nil
	}
	if !s.grpc.local() {
		s.grpc.tls = s.newListenerTLS("grpc")
		s.grpc.tls.NeedsProtocol = true
	}
	if !s.rest.local() {
		s.rest.tls = s.newListenerTLS("rest")
		s.rest.tls.Plain = []byte(notTLS)
	}
	if s.cfg.TLS.Admin && !s.admin.local() {
		s.admin.tls = s.newListenerTLS("admin")
		s.admin.tls.Plain = []byte(notTLS)
	}
	s.certificates, err = s.watchCertificates(certs.Listeners, s.cfg.TLS.Files(), s.applyCertificates)
	return err
}

// watchUpstreamCertificates loads the certificates for the connections to Diga, if any
// are set, and puts the watch of their files on the stack.
func (s *Server) watchUpstreamCertificates() (err error) {
	files := s.cfg.Upstream.Files()
	if files.None() {
		return nil
	}
	s.upstreamCertificates, err = s.watchCertificates(certs.Upstream, files, s.upstream.Use)
	return err
}

// watchCertificates loads certificate files and puts the watch of them on the stack. It
// calls use with their content, now and after every change.
func (s *Server) watchCertificates(side string, files certs.Files, use func(*certs.Material)) (*certs.Watch, error) {
	watch, err := certs.Open(certs.WatchConfig{
		Files: files, Interval: s.cfg.TLS.Reload,
		Taken: func(m *certs.Material) {
			use(m)
			s.telemetry.CertificatesTaken(side, m)
		},
		Refused: func(err error) { s.telemetry.CertificatesRefused(side, err) },
	})
	if err != nil {
		return nil, setting.Mistaken(err)
	}
	m := watch.Current()
	use(m)
	if err := m.Validity(time.Now()); err != nil {
		s.log.Warn("the other side will refuse this certificate", slog.String("side", side), slog.String("cause", err.Error()))
	}
	s.telemetry.WatchCertificates(side, watch)
	s.lifecycle.Push(&lifecycle.Part{Name: side + " certificates", Serve: func(ctx context.Context) error { watch.Run(ctx); return nil }})
	return watch, nil
}

// newListenerTLS returns a listener's TLS configuration, without its certificate.
func (s *Server) newListenerTLS(listener string) *listenerTLS {
	s.telemetry.WatchHandshakes(listener)
	sec := new(listenerTLS)
	sec.Config = handshake.Config{
		TLS: sec.current.Load, Timeout: min(handshakeTimeout, s.cfg.ReadTimeout),
		MaxPending: max(s.cfg.MaxConnections/handshakeShare, leastHandshakes), Pending: &sec.pending, Address: peers.Address,
		Ended: func(result handshake.Result, peer net.Addr, err error) {
			s.telemetry.HandshakeEnded(listener, result, peer, err)
		},
	}
	return sec
}

// applyCertificates makes new connections use this certificate and these authorities. Existing
// connections stay open, but their sessions cannot be resumed: the caller's authority may
// no longer be trusted.
func (s *Server) applyCertificates(m *certs.Material) {
	if s.grpc.tls != nil {
		s.grpc.tls.current.Store(s.cfg.TLS.ServerConfig(m, http2Protocol))
	}
	if s.rest.tls != nil {
		s.rest.tls.current.Store(s.cfg.TLS.ServerConfig(m, http2Protocol, http1Protocol))
	}
	if s.admin.tls != nil {
		config := s.cfg.TLS.ServerConfig(m, http2Protocol, http1Protocol)
		config.ClientAuth, config.ClientCAs = tls.NoClientCert, nil // probes and scrapers have no certificate
		s.admin.tls.current.Store(config)
	}
}

// withPeer returns the context of a REST connection with its peer, so that a call has the
// same [peer.Peer] as over gRPC: the caller's address and, with TLS, its verified
// certificate chains.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	p := &peer.Peer{Addr: conn.RemoteAddr(), LocalAddr: conn.LocalAddr()}
	if secured, ok := conn.(*tls.Conn); ok {
		p.AuthInfo = handshake.Info(secured)
	}
	return peer.NewContext(ctx, p)
}
