package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	// idlePool is far above any sensible concurrency: a call that finds no idle
	// connection pays a dial, and one that returns to a full pool closes its
	// own.
	idlePool = 4096
	// A connection that HTTP/2 shares would else swallow call after call once
	// its other end is gone without a word.
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second
)

// newTransport returns the one transport of a client. It follows no redirects,
// being used through RoundTrip, and decodes nothing, since every request says
// which content coding it takes.
func newTransport(cfg Config, conns *connections) *http.Transport {
	dialer := net.Dialer{Timeout: dialTimeout}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(cfg.HTTP2)
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			cc := newCountedConn(c, conns)
			if !conns.add(cc) {
				_ = c.Close()
				return nil, net.ErrClosed
			}
			return cc, nil
		},
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			RootCAs:            cfg.Roots,
			ClientSessionCache: tls.NewLRUClientSessionCache(64),
		},
		TLSHandshakeTimeout:    handshakeTimeout,
		Protocols:              &protocols,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		MaxIdleConns:           idlePool,
		MaxIdleConnsPerHost:    idlePool,
		IdleConnTimeout:        cfg.IdleTimeout,
		MaxResponseHeaderBytes: cfg.MaxAnswerHeader,
	}
}
