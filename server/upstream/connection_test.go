package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

const notSent = exchange.NotSent

func TestCall_ManyInARow_UseOneConnection(t *testing.T) {
	serverConf, roots := serverTLS(t)
	for name, conf := range map[string]*tls.Config{"plain": nil, "TLS": serverConf} {
		for framing, response := range map[string]string{
			"Content-Length": created(), "chunked": chunked(wholeResponse) + "0\r\n\r\n", "gzip": ok201("Content-Encoding: gzip\r\n", gzipped(wholeResponse)),
			"error": strings.Replace(ok201("", "<html>"), "201 Created", "502 Bad Gateway", 1),
			"empty": strings.Replace(ok201("", ""), "201 Created", "404 Not Found", 1),
		} {
			v := newUpstream(t, conf, responding(response))
			c := newClient(t, v.url(), trusting(roots))
			for range 20 {
				copyOne(t.Context(), c)
			}
			if got, conns := v.seen(); len(got) != 20 || conns != 1 {
				t.Errorf("%s, %s: %d requests on %d connections", name, framing, len(got), conns)
			}
		}
	}
}

func TestCall_ManyAtOnce_EachSentOnceAndGetsItsOwnResponse(t *testing.T) {
	v := newUpstream(t, nil, func(c net.Conn, request string) bool {
		_, id, _ := strings.Cut(request, `"name":"`)
		id, _, _ = strings.Cut(id, `"`)
		_, err := io.WriteString(c, ok201("", `{"id":"`+id+`"}`))
		return err == nil
	})
	c := newClient(t, v.url())
	sentOnce(t, c, 16, 50)
	if got, _ := v.seen(); len(got) != 16*50 {
		t.Errorf("%d requests", len(got))
	}
}

func TestCall_ManyAtOnceAgainAndAgain_UseTheSameConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers, rounds = 50, 4
		v, c := newPiped(t, func(conn net.Conn, request string) bool {
			time.Sleep(time.Millisecond) // so that all are under way at once
			return responding(created())(conn, request)
		})
		for range rounds {
			for range callers {
				go copyOne(t.Context(), c)
			}
			time.Sleep(time.Second)
		}
		if got, conns := v.seen(); len(got) != callers*rounds || conns != callers {
			t.Errorf("%d requests on %d connections, want %d on %d", len(got), conns, callers*rounds, callers)
		}
	})
}

// sentOnce makes calls at once, each with a name that must be the response's id.
func sentOnce(t *testing.T, c *Client, callers, calls int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for j := range calls {
				req, id := named(i*calls + j)
				if r := copyWith(t.Context(), c, req); r.resp.GetIntegration().GetId() != id {
					t.Errorf("call %s: %v, %v", id, r.err, &r.resp)
				}
			}
		})
	}
	wg.Wait()
}

func TestCall_IdleConnection_IsClosedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const idle = 4 * time.Second
		c, closed := idleConnection(t, func(c *Config) { c.IdleTimeout = idle })
		copyOne(t.Context(), c).want(t, "", done, 201, 1, "")
		time.Sleep(idle - 1)
		synctest.Wait()
		if isClosed(closed) {
			t.Error("closed before its time")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !isClosed(closed) {
			t.Error("still open after its time")
		}
	})
}

func TestClose_IdleConnection_IsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, closed := idleConnection(t, func(c *Config) { c.IdleTimeout = time.Hour })
		copyOne(t.Context(), c).want(t, "", done, 201, 1, "")
		c.Close()
		synctest.Wait()
		if !isClosed(closed) {
			t.Error("still open")
		}
	})
}

// idleConnection returns a client, and a channel that is closed when the other
// end sees the connection of its first call end.
func idleConnection(t *testing.T, change func(*Config)) (*Client, <-chan struct{}) {
	t.Helper()
	closed := make(chan struct{})
	_, c := newPiped(t, func(c net.Conn, _ string) bool {
		_, _ = io.WriteString(c, created())
		untilClosed(c)
		close(closed)
		return false
	}, change)
	return c, closed
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestCall_TLS(t *testing.T) {
	conf, roots := serverTLS(t)
	old := conf.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	tls12 := conf.Clone()
	tls12.MaxVersion = tls.VersionTLS12

	v := newUpstream(t, conf, responding(created()))
	copyOne(t.Context(), newClient(t, v.url(), trusting(roots))).want(t, "", done, 201, 1, "")
	copyOne(t.Context(), newClient(t, v.url())).want(t, apierror.ReasonUnreachable, notSent, 0, 1, "Diga's certificate is not valid for this host")
	byName := strings.Replace(v.url(), "127.0.0.1", "localhost", 1)
	copyOne(t.Context(), newClient(t, byName, trusting(roots))).want(t, apierror.ReasonUnreachable, notSent, 0, 1, "Diga's certificate is not valid for this host")

	v = newUpstream(t, tls12, responding(created()))
	copyOne(t.Context(), newClient(t, v.url(), trusting(roots))).want(t, "", done, 201, 1, "")
	v = newUpstream(t, old, responding(created()))
	copyOne(t.Context(), newClient(t, v.url(), trusting(roots))).want(t, apierror.ReasonUnreachable, notSent, 0, 1, "TLS failed")
	if got, _ := v.seen(); len(got) > 0 {
		t.Errorf("sent %q over TLS 1.1", got)
	}
	// The client's first bytes are a ClientHello, not a request's lines.
	notTLS := oneConnection(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		untilClosed(c)
	})
	copyOne(t.Context(), newClient(t, "https://"+notTLS, trusting(roots))).want(t, apierror.ReasonUnreachable, notSent, 0, 1, "TLS failed")
}

func TestCall_RefusedConnection_IsNotSent(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	copyOne(t.Context(), newClient(t, "http://"+ln.Addr().String())).want(t, apierror.ReasonUnreachable, notSent, 0, 1, "connection refused")
	copyOne(t.Context(), newClient(t, "http://upstream.invalid")).want(t, apierror.ReasonUnreachable, notSent, 0, 1, "the name of Diga's host did not resolve")
}

// proxy is a forward proxy to one target, whatever is asked for. It records
// what it was asked.
type proxy struct {
	*fakeUpstream
	refuse string
}

func newProxy(t *testing.T, target, refuse string) *proxy {
	p := &proxy{refuse: refuse}
	p.fakeUpstream = newUpstream(t, nil, func(c net.Conn, request string) bool {
		switch {
		case p.refuse != "":
			_, _ = io.WriteString(c, "HTTP/1.1 "+p.refuse+"\r\n\r\n")
			return false
		case !strings.HasPrefix(request, "CONNECT "):
			_, err := io.WriteString(c, created())
			return err == nil
		}
		to, err := net.Dial("tcp", target)
		if err != nil {
			return false
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = io.Copy(c, to); _ = c.Close() })
		_, _ = io.Copy(to, c)
		_ = to.Close()
		wg.Wait()
		return false
	})
	return p
}

func (p *proxy) use(c *Client) {
	c.direct.Store(nil)
	c.transport.Load().Proxy = http.ProxyURL(&url.URL{Scheme: "http", User: url.UserPassword("u", "hunter2"), Host: p.ln.Addr().String()})
}

func TestCall_ThroughAProxy(t *testing.T) {
	conf, roots := serverTLS(t)
	v := newUpstream(t, conf, func(c net.Conn, request string) bool {
		if strings.Contains(request, "reset") {
			reset(c)
			return false
		}
		_, err := io.WriteString(c, created())
		return err == nil
	})
	target := v.ln.Addr().String()

	p := newProxy(t, target, "")
	c := newClient(t, "https://example.com", trusting(roots))
	p.use(c)
	copyOne(t.Context(), c).want(t, "", done, 201, 1, "")
	req, _ := named(0)
	req.Name = new("reset")
	if r := copyWith(t.Context(), c, req); r.ex.Outcome != unknown {
		t.Errorf("reset behind the proxy: %v, %v", r.ex.Outcome, r.err)
	}
	got, _ := p.seen()
	if len(got) != 1 || !strings.HasPrefix(got[0], "CONNECT example.com:443 HTTP/1.1\r\n") || strings.Contains(got[0], token) {
		t.Errorf("the proxy was asked %q", got)
	}
	if got, _ := v.seen(); len(got) != 2 || strings.Contains(got[0], "Proxy-") {
		t.Errorf("the upstream was asked %q", got)
	}
	c.Close()

	p = newProxy(t, target, "")
	c = newClient(t, "http://example.com/base")
	p.use(c)
	copyOne(t.Context(), c).want(t, "", done, 201, 1, "")
	if got, _ := p.seen(); len(got) != 1 || !strings.HasPrefix(got[0], "POST http://example.com/base/v1/integration/template/"+templateID+"/copy HTTP/1.1\r\n") {
		t.Errorf("the proxy was asked %q", got)
	}

	// The request never got as far as the tunnel: not sent, and the proxy's
	// words stay out of the log.
	p = newProxy(t, target, "407 hunter2 please")
	c = newClient(t, "https://example.com", trusting(roots))
	p.use(c)
	copyOne(t.Context(), c).want(t, apierror.ReasonUnreachable, notSent, 0, 1, "the exchange failed")

	p = newProxy(t, target, "")
	p.close()
	c = newClient(t, "https://example.com", trusting(roots))
	p.use(c)
	copyOne(t.Context(), c).want(t, apierror.ReasonUnreachable, notSent, 0, 1, "connection refused")
}

// net/http reads the environment once a process, hence the process of its own.
func TestCall_ProxyOfTheEnvironment_IsUsed(t *testing.T) {
	const child = "DIGATE_TEST_PROXY_CHILD"
	if os.Getenv(child) != "" {
		copyOne(t.Context(), newClient(t, "http://upstream.invalid")).want(t, "", done, 201, 1, "")
		return
	}
	p := newProxy(t, "", "")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"=1", "HTTP_PROXY="+p.url(), "http_proxy="+p.url(), "NO_PROXY=", "no_proxy=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, _ := p.seen(); len(got) != 1 || !strings.HasPrefix(got[0], "POST http://upstream.invalid/") {
		t.Errorf("the proxy was asked %q", got)
	}
}

func TestCall_ContextEnded_BeforeDial_NothingIsDialled(t *testing.T) {
	v := newUpstream(t, nil, responding(created()))
	c := newClient(t, v.url())
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	r := copyOne(cancelled, c)
	r.want(t, apierror.ReasonCancelledBeforeSend, notSent, 0, 0, "cancelled")
	late, cancel := context.WithTimeout(t.Context(), -1)
	defer cancel()
	copyOne(late, c).want(t, apierror.ReasonDeadlineBeforeSend, notSent, 0, 0, "deadline exceeded")
	if _, conns := v.seen(); conns != 0 {
		t.Errorf("%d connections", conns)
	}
}

// ends runs the test for the two ways in which a caller leaves. The test calls
// leave when the exchange is where the test wants it; the deadline passes once
// everything waits there.
func ends(t *testing.T, test func(t *testing.T, ctx context.Context, leave func(), cause string)) {
	t.Run("cancel", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			test(t, ctx, func() { time.Sleep(time.Nanosecond); synctest.Wait(); cancel() }, "cancelled")
		})
	})
	t.Run("deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			test(t, ctx, func() {}, "deadline exceeded")
		})
	})
}

// notBegun are the reasons of calls that ended before they were sent, by what ended them.
var notBegun = map[string]string{
	"cancelled":         apierror.ReasonCancelledBeforeSend,
	"deadline exceeded": apierror.ReasonDeadlineBeforeSend,
}

func TestCall_ContextEnds_WhileDialling_IsNotSent(t *testing.T) {
	ends(t, func(t *testing.T, ctx context.Context, leave func(), cause string) {
		c := newClient(t, "http://127.0.0.1:1")
		gone := make(chan struct{})
		c.direct.Store(nil)
		c.transport.Load().DialContext = func(context.Context, string, string) (net.Conn, error) {
			leave()
			<-gone
			return nil, io.EOF
		}
		copyOne(ctx, c).want(t, notBegun[cause], notSent, 0, 1, cause)
		close(gone)
	})
}

func TestCall_ContextEnds_InTheHandshake_IsNotSent(t *testing.T) {
	ends(t, func(t *testing.T, ctx context.Context, leave func(), cause string) {
		ln := newPipes()
		var wg sync.WaitGroup
		wg.Go(func() {
			if conn, err := ln.Accept(); err == nil {
				_, _ = bufio.NewReader(conn).ReadByte() // of the ClientHello
				leave()
				<-ctx.Done()
				_ = conn.Close()
			}
		})
		copyOne(ctx, newClientOver(t, ln, "https://"+ln.Addr().String())).want(t, notBegun[cause], notSent, 0, 1, cause)
		wg.Wait()
	})
}

func TestCall_ContextEnds_AfterSending_IsUnknown(t *testing.T) {
	ends(t, func(t *testing.T, ctx context.Context, leave func(), cause string) {
		_, client := newPiped(t, func(c net.Conn, _ string) bool {
			leave()
			untilClosed(c) // the caller's end reaches the connection
			return false
		})
		copyOne(ctx, client).want(t, apierror.ReasonOutcomeUnknown, unknown, 0, 1, cause)
	})
}

func TestCall_ContextEnds_InTheBody_IsUnknownWithoutAnID(t *testing.T) {
	for part, hasID := range map[string]bool{`{"na`: false, wholeResponse[:60]: true} {
		ends(t, func(t *testing.T, ctx context.Context, leave func(), cause string) {
			_, client := newPiped(t, func(c net.Conn, _ string) bool {
				_, _ = io.WriteString(c, ok201("", wholeResponse)[:len(created())-len(wholeResponse)]+part)
				leave()
				untilClosed(c)
				return false
			})
			r := copyOne(ctx, client)
			if hasID {
				r.want(t, "", done, 201, 1, "")
			} else {
				r.want(t, apierror.ReasonOutcomeUnknown, unknown, 201, 1, cause)
			}
		})
	}
}

func TestCall_NoDeadline_GetsTheDefaultOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := newPiped(t, func(c net.Conn, _ string) bool { untilClosed(c); return false })
		began := time.Now()
		copyOne(context.Background(), c).want(t, apierror.ReasonOutcomeUnknown, unknown, 0, 1, "deadline exceeded")
		if took := time.Since(began); took != c.timeout {
			t.Errorf("ended after %v, want %v", took, c.timeout)
		}
	})
}

func TestCall_DeadlineBeyondTheDefault_IsTheCallers(t *testing.T) {
	v := newUpstream(t, nil, responding(created()))
	c := newClient(t, v.url(), func(c *Config) { c.Timeout = 1 })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	copyOne(ctx, c).want(t, "", done, 201, 1, "")
}
