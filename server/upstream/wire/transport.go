// Package wire makes HTTP exchanges with the upstream, and knows whether a byte of a
// failed request was sent.
package wire

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	// idlePool is the maximum number of idle connections. It is far above any useful
	// concurrency: without an idle connection a call must dial, and a full pool closes
	// connections.
	idlePool = 4096
	// Pings detect that a shared HTTP/2 connection is dead. Without them, call after call
	// would fail on it.
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second
)

// Config is the configuration of a transport.
type Config struct {
	// IdleTimeout is how long a connection stays open without a request.
	IdleTimeout time.Duration
	// HTTP2 offers HTTP/2 over TLS.
	HTTP2 bool
	// TLS verifies the upstream's certificate. Nil means the system's authorities.
	TLS *tls.Config
	// Proxy is the proxy for connections to the upstream, or nil.
	Proxy *url.URL
	// MaxResponseHeader is the maximum size of a response's header, in bytes.
	MaxResponseHeader int64
	// Dial connects to the upstream, or to the proxy. Nil means a dialer with a timeout
	// of a few seconds.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// NewTransport returns a transport. Its connections count their bytes and are added to
// open. Its RoundTrip follows no redirects, and decodes no content, because every request
// names the accepted content coding.
func NewTransport(cfg Config, open *Connections) *http.Transport {
	dial := cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(cfg.HTTP2)
	return &http.Transport{
		Proxy: http.ProxyURL(cfg.Proxy),
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := open.dialed(dial(ctx, network, addr))
			if err != nil {
				return nil, err
			}
			conn := newConnection(c, open)
			conn.timeout = cfg.IdleTimeout
			if !open.add(conn) {
				_ = c.Close()
				return nil, net.ErrClosed
			}
			return conn, nil
		},
		TLSClientConfig:        cfg.clientTLS(),
		TLSHandshakeTimeout:    handshakeTimeout,
		Protocols:              &protocols,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		MaxIdleConns:           idlePool,
		MaxIdleConnsPerHost:    idlePool,
		IdleConnTimeout:        cfg.IdleTimeout,
		MaxResponseHeaderBytes: cfg.MaxResponseHeader,
	}
}

// clientTLS returns a copy of the TLS configuration. All copies share their sessions.
func (cfg *Config) clientTLS() *tls.Config {
	if cfg.TLS == nil {
		return &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return cfg.TLS.Clone()
}
