// Package wire carries an HTTP exchange to the upstream and knows whether a byte
// of a failed request left.
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
	// idlePool is far above any sensible concurrency: a call without an idle
	// connection pays for a dial, and a full pool closes connections.
	idlePool = 4096
	// Pings detect that the other end of a shared HTTP/2 connection is gone. Without
	// them the connection would swallow call after call.
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second
)

// Config holds the settings of a transport.
type Config struct {
	// IdleTimeout is how long a connection is kept without a request on it.
	IdleTimeout time.Duration
	// HTTP2 offers HTTP/2 over TLS.
	HTTP2 bool
	// TLS verifies the upstream's certificate. Nil means by the system's authorities.
	TLS *tls.Config
	// Proxy is what connections to the upstream go through, nil for none.
	Proxy *url.URL
	// MaxResponseHeader bounds the header section of a response, in bytes.
	MaxResponseHeader int64
	// Dial connects to the upstream, or to the proxy before it. Nil means a dialer
	// that gives up after a few seconds.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// NewTransport returns a transport. Its connections count their bytes and are added
// to open. RoundTrip follows no redirects, and decodes nothing, since every request
// names the content coding that it takes.
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

// clientTLS returns a copy of the TLS, whose sessions are those of all copies.
func (cfg *Config) clientTLS() *tls.Config {
	if cfg.TLS == nil {
		return &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return cfg.TLS.Clone()
}
