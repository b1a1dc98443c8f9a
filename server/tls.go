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
	// handshakeShare of --max-connections may be in their handshake, leastHandshakes if
	// that is more: beyond it the oldest one ends, so that those that stall leave room.
	handshakeShare  = 4
	leastHandshakes = 64
)

// notTLS is what a client hears that speaks HTTP to a listener with TLS. Its request was
// not read.
const notTLS = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\nDigate-Outcome: NOT_SENT\r\n\r\n" +
	`{"status":"error","error_code":"` + apierror.ReasonTLSRequired + `","message":"this port speaks TLS: use https://"}` + "\n"

// The protocols of the listeners, as ALPN names them.
const (
	http2Protocol = "h2"
	http1Protocol = "http/1.1"
)

// openCertificates loads the certificates of the listeners, which speak TLS from then
// on, and puts their watch on the stack.
func (s *Server) openCertificates() (err error) {
	if !s.cfg.TLS.Enabled() {
		return nil
	}
	if !s.grpc.local() {
		s.grpc.tls = s.newSecurity("grpc")
		s.grpc.tls.NeedsProtocol = true
	}
	if !s.rest.local() {
		s.rest.tls = s.newSecurity("rest")
		s.rest.tls.Plain = []byte(notTLS)
	}
	if s.cfg.TLS.Admin && !s.admin.local() {
		s.admin.tls = s.newSecurity("admin")
		s.admin.tls.Plain = []byte(notTLS)
	}
	s.certificates, err = s.watchCertificates(certs.Listeners, s.cfg.TLS.Files(), s.secure)
	return err
}

// watchUpstreamCertificates has the connections to Diga use what the files hold, if any
// are set, and puts their watch on the stack.
func (s *Server) watchUpstreamCertificates() (err error) {
	files := s.cfg.Upstream.Files()
	if files.None() {
		return nil
	}
	s.upstreamCertificates, err = s.watchCertificates(certs.Upstream, files, s.upstream.Use)
	return err
}

// watchCertificates loads files, and puts their watch on the stack. Use is called with
// what they hold, now and whenever it changes.
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

// newSecurity returns the TLS of a listener, without its certificate.
func (s *Server) newSecurity(listener string) *security {
	s.telemetry.WatchHandshakes(listener)
	sec := new(security)
	sec.Config = handshake.Config{
		TLS: sec.current.Load, Timeout: min(handshakeTimeout, s.cfg.ReadTimeout),
		MaxPending: max(s.cfg.MaxConnections/handshakeShare, leastHandshakes), Pending: &sec.pending, Address: peers.Address,
		Ended: func(result handshake.Result, peer net.Addr, err error) {
			s.telemetry.HandshakeEnded(listener, result, peer, err)
		},
	}
	return sec
}

// secure has new connections served with this certificate and these authorities.
// Connections that are there go on. No session of theirs is resumed: it might be that of
// a caller whose authority is trusted no more.
func (s *Server) secure(m *certs.Material) {
	if s.grpc.tls != nil {
		s.grpc.tls.current.Store(s.cfg.TLS.ServerConfig(m, http2Protocol))
	}
	if s.rest.tls != nil {
		s.rest.tls.current.Store(s.cfg.TLS.ServerConfig(m, http2Protocol, http1Protocol))
	}
	if s.admin.tls != nil {
		config := s.cfg.TLS.ServerConfig(m, http2Protocol, http1Protocol)
		config.ClientAuth, config.ClientCAs = tls.NoClientCert, nil // probes and scrapers have none
		s.admin.tls.current.Store(config)
	}
}

// knowPeer returns the context of a REST connection with its peer, so that a call has
// the same [peer.Peer] as over gRPC: the caller's address, and with TLS the chains of its
// certificate.
func knowPeer(ctx context.Context, conn net.Conn) context.Context {
	p := &peer.Peer{Addr: conn.RemoteAddr(), LocalAddr: conn.LocalAddr()}
	if secured, ok := conn.(*tls.Conn); ok {
		p.AuthInfo = handshake.Info(secured)
	}
	return peer.NewContext(ctx, p)
}
