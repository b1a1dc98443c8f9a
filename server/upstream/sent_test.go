package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/exchange"
)

// named is a request that can be told from all others by its name.
func named(n int) (req *integrationv1.CopyTemplateRequest, name string) {
	name = fmt.Sprintf("call-%06d", n)
	return &integrationv1.CopyTemplateRequest{TemplateId: templateID, Name: &name}, name
}

// reads collects which calls a server saw, and how often.
type reads struct {
	mu sync.Mutex
	n  map[string]int
}

func (r *reads) add(request string) {
	_, name, ok := strings.Cut(request, `"name":"`)
	if !ok {
		return
	}
	name, _, _ = strings.Cut(name, `"`)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == nil {
		r.n = make(map[string]int)
	}
	r.n[name]++
}

// verdicts are the outcomes of calls, by name.
type verdicts struct {
	mu sync.Mutex
	of map[string]exchange.Outcome
}

// run makes calls from several goroutines; ctx makes each its context.
func (v *verdicts) run(t *testing.T, c *Client, callers, calls int, ctx func() (context.Context, context.CancelFunc)) {
	t.Helper()
	v.of = make(map[string]exchange.Outcome)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for j := range calls {
				req, name := named(i*calls + j)
				ctx, cancel := ctx()
				r := copyWith(ctx, c, req)
				cancel()
				v.mu.Lock()
				v.of[name] = r.ex.Outcome
				v.mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// hold says that no call was read twice, and none that is said not to be sent.
func (v *verdicts) hold(t *testing.T, seen *reads) {
	t.Helper()
	seen.mu.Lock()
	defer seen.mu.Unlock()
	count := make(map[exchange.Outcome]int)
	for name, outcome := range v.of {
		count[outcome]++
		if n := seen.n[name]; n > 1 || n > 0 && outcome == notSent {
			t.Errorf("%s is %v and was read %d times", name, outcome, n)
		}
	}
	t.Log(count)
}

func plain(t *testing.T) func() (context.Context, context.CancelFunc) {
	return func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) }
}

// The server closes each connection at about the time when the next request is
// written into it: before it, in it, or after it was read.
func TestCall_ServerClosesAsWeWrite_WhatWasReadIsNeverNotSent(t *testing.T) {
	conf, roots := serverTLS(t)
	for _, secure := range []bool{false, true} {
		var seen reads
		v := newUpstream(t, nil, func(c net.Conn, request string) bool {
			seen.add(request)
			if _, err := io.WriteString(c, created()); err != nil {
				return false
			}
			switch rand.IntN(4) {
			case 0:
				return false
			case 1:
				reset(c)
				return false
			case 2:
				_ = c.SetReadDeadline(time.Now().Add(time.Duration(rand.IntN(100)) * time.Microsecond))
			}
			return true
		})
		if secure {
			v.close()
			respond := v.respond
			v = newUpstream(t, conf, respond)
		}
		c := newClient(t, v.url(), trusting(roots))
		var said verdicts
		said.run(t, c, 8, 60, plain(t))
		v.close()
		said.hold(t, &seen)
	}
}

// Callers leave at any moment of the exchange, over both protocols.
func TestCall_CallersLeaveAtAnyMoment_WhatWasReadIsNeverNotSent(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		var seen reads
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if wantMajor := 1; http2 != (r.ProtoMajor != wantMajor) {
				t.Errorf("%s", r.Proto)
			}
			body, _ := io.ReadAll(r.Body)
			seen.add(string(body))
			_, _ = io.WriteString(w, wholeResponse)
		}))
		srv.EnableHTTP2 = http2
		srv.Config.ErrorLog = discardLog()
		srv.StartTLS()
		roots := x509.NewCertPool()
		roots.AddCert(srv.Certificate())
		c := newClient(t, srv.URL, trusting(roots), func(c *Config) { c.HTTP2 = http2 })
		var said verdicts
		said.run(t, c, 4, 150, func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), time.Duration(rand.IntN(1500))*time.Microsecond)
		})
		c.Close()
		srv.Close() // waits for its handlers
		said.hold(t, &seen)
	}
}

// A body too large for the sockets' buffers is under way when the call fails:
// part of it left, and is counted although the write has not returned.
func TestCall_FailsInTheMiddleOfAWrite_IsUnknown(t *testing.T) {
	body := &integrationv1.CopyTemplateRequest{TemplateId: templateID, Name: new(strings.Repeat("x", 7<<20))}
	conf, roots := serverTLS(t)
	for _, secure := range []bool{false, true} {
		for name, then := range map[string]func(c net.Conn, leave func()){
			"the caller leaves":   func(c net.Conn, leave func()) { leave(); untilClosed(c) },
			"the server resets":   func(c net.Conn, _ func()) { reset(c) },
			"the server closes":   func(c net.Conn, _ func()) { _ = c.Close() },
			"nobody reads on":     func(c net.Conn, leave func()) { leave() },
			"a response in front": func(c net.Conn, _ func()) { _, _ = io.WriteString(c, ok201("", "")); _ = c.Close() },
		} {
			ctx, leave := context.WithCancel(t.Context())
			left := make(chan struct{})
			target := "http://" + oneConnection(t, func(c net.Conn) {
				if secure {
					s := tls.Server(c, conf)
					_, _ = io.ReadFull(s, make([]byte, 100))
					c = s
				} else {
					_, _ = io.ReadFull(c, make([]byte, 100))
				}
				then(c, leave)
				<-left
			})
			if secure {
				target = "https" + strings.TrimPrefix(target, "http")
			}
			r := copyWith(ctx, newClient(t, target, trusting(roots)), body)
			if r.ex.Outcome != unknown || len(r.ex.Attempts) != 1 {
				t.Errorf("secure=%v, %s: %v, %v", secure, name, r.ex.Outcome, r.err)
			}
			close(left)
			leave()
		}
	}
}
