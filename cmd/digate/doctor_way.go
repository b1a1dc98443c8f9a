package main

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

// way is what there is between this machine and the vendor, as one request
// without a credential meets it. It goes the way that the server's requests go,
// through a proxy too.
type way struct {
	proxied     bool
	host        string // to resolve and dial: the vendor's or the proxy's
	addrs       []string
	dnsErr      error
	connErrs    []string // one for each address that did not answer
	remote      string   // address that answered, empty where none did
	connectTime time.Duration
	state       *tls.ConnectionState // nil where TLS did not come about
	tlsErr      error
	date        time.Time // of the answer, zero where there was none
	skew        time.Duration
	err         error // the request's
}

const (
	exploreDial   = 5 * time.Second
	exploreAnswer = 5 * time.Second
)

// explore asks for the base URL and notes what it meets. What is answered there
// does not matter, beyond its date.
func (w *way) explore(ctx context.Context, c *config.Config, base *url.URL) {
	roots, err := c.Roots()
	if err != nil {
		w.err = err
		return
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(c.UpstreamHTTP2)
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: exploreDial}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    exploreDial,
		ResponseHeaderTimeout:  exploreAnswer,
		MaxResponseHeaderBytes: c.MaxAnswerHeaderBytes,
		Protocols:              &protocols,
		DisableKeepAlives:      true,
	}
	defer transport.CloseIdleConnections()
	seen := &scout{way: *w, began: make(map[string]time.Time)}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, seen.trace()), http.MethodGet, base.String(), nil)
	if err != nil {
		w.err = err
		return
	}
	req.Header.Set("User-Agent", "digate/"+version())
	begun := time.Now()
	resp, err := transport.RoundTrip(req)
	took := time.Since(begun)
	*w = seen.report()
	w.err = err
	if err != nil {
		return
	}
	_ = resp.Body.Close()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		// The date was written between the two, and has whole seconds.
		w.date, w.skew = date, begun.Add(took/2).Sub(date.Add(time.Second/2))
	}
}

// scout notes what a request meets. A dial may go on in the background when the
// request has ended, so that it is locked.
type scout struct {
	mu    sync.Mutex
	way   way
	began map[string]time.Time // dials, by address
}

func (s *scout) report() way {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.way
	w.addrs, w.connErrs = append([]string(nil), w.addrs...), append([]string(nil), w.connErrs...)
	return w
}

func (s *scout) trace() *httptrace.ClientTrace {
	locked := func(f func(*way)) {
		s.mu.Lock()
		defer s.mu.Unlock()
		f(&s.way)
	}
	return &httptrace.ClientTrace{
		DNSDone: func(info httptrace.DNSDoneInfo) {
			locked(func(w *way) {
				w.dnsErr = info.Err
				for _, addr := range info.Addrs {
					w.addrs = append(w.addrs, addr.String())
				}
			})
		},
		ConnectStart: func(_, addr string) {
			locked(func(*way) { s.began[addr] = time.Now() })
		},
		ConnectDone: func(_, addr string, err error) {
			locked(func(w *way) {
				if err != nil {
					w.connErrs = append(w.connErrs, addr+": "+netReason(err))
					return
				}
				if w.remote == "" {
					w.remote, w.connectTime = addr, time.Since(s.began[addr])
				}
			})
		},
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			locked(func(w *way) {
				w.state, w.tlsErr = nil, err
				if err == nil {
					w.state = &state
				}
			})
		},
	}
}
