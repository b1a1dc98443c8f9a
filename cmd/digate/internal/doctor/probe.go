package doctor

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"

	"github.com/digate/digate/server/config"
)

// networkProbe sends one request without a credential and records the network
// between this machine and Diga. The request takes the route of serve's own
// requests, through a proxy if there is one.
type networkProbe struct {
	version string
	proxy   *url.URL // nil without one
	host    string   // host to resolve and dial: Diga's, or the proxy's

	addrs       []string
	dnsErr      error
	connErrs    []string // one for each address that did not accept
	remote      string   // address that accepted, or empty
	connectTime time.Duration
	state       *tls.ConnectionState // nil without a TLS connection
	tlsErr      error
	date        time.Time // Date of the response, or zero
	skew        time.Duration
	err         error // error of the request
}

const (
	dialTimeout     = 5 * time.Second
	responseTimeout = 5 * time.Second
)

// run requests the base URL. Of the response only its Date matters.
func (p *networkProbe) run(ctx context.Context, c *config.Config, base *url.URL) {
	material, err := c.Upstream.Files().Load()
	if err != nil {
		p.err = err
		return
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(c.Upstream.HTTP2)
	transport := &http.Transport{
		Proxy:                  http.ProxyURL(p.proxy),
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:        material.ClientConfig(),
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  responseTimeout,
		MaxResponseHeaderBytes: c.Responses.MaxResponseHeader,
		Protocols:              &protocols,
		DisableKeepAlives:      true,
	}
	defer transport.CloseIdleConnections()
	rec := &recorder{probe: *p, began: make(map[string]time.Time)}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, rec.trace()), http.MethodGet, base.String(), nil)
	if err != nil {
		p.err = err
		return
	}
	req.Header.Set("User-Agent", "digate/"+p.version)
	begun := time.Now()
	resp, err := transport.RoundTrip(req)
	took := time.Since(begun)
	*p = rec.recorded()
	p.err = err
	if err != nil {
		return
	}
	_ = resp.Body.Close()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		// Diga wrote the date about half-way, and cut it to whole seconds.
		p.date, p.skew = date, begun.Add(took/2).Sub(date.Add(time.Second/2))
	}
}

// recorder records the events of a request. It is locked because a dial may go
// on in the background after the request ended.
type recorder struct {
	mu    sync.Mutex
	probe networkProbe
	began map[string]time.Time // start of each dial, by address
}

func (r *recorder) recorded() networkProbe {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.probe
	p.addrs, p.connErrs = append([]string(nil), p.addrs...), append([]string(nil), p.connErrs...)
	return p
}

func (r *recorder) trace() *httptrace.ClientTrace {
	locked := func(f func(*networkProbe)) {
		r.mu.Lock()
		defer r.mu.Unlock()
		f(&r.probe)
	}
	return &httptrace.ClientTrace{
		DNSDone: func(info httptrace.DNSDoneInfo) {
			locked(func(p *networkProbe) {
				p.dnsErr = info.Err
				for _, addr := range info.Addrs {
					p.addrs = append(p.addrs, addr.String())
				}
			})
		},
		ConnectStart: func(_, addr string) {
			locked(func(*networkProbe) { r.began[addr] = time.Now() })
		},
		ConnectDone: func(_, addr string, err error) {
			locked(func(p *networkProbe) {
				if err != nil {
					p.connErrs = append(p.connErrs, addr+": "+netReason(err))
					return
				}
				if p.remote == "" {
					p.remote, p.connectTime = addr, time.Since(r.began[addr])
				}
			})
		},
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			locked(func(p *networkProbe) {
				p.state, p.tlsErr = nil, err
				if err == nil {
					p.state = &state
				}
			})
		},
	}
}
