//go:build unix

package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digate/digate/test/await"
)

// newDirect returns a Direct for a scripted upstream. It is closed when the test ends.
func newDirect(t testing.TB, target string, change ...func(*Config)) *Direct {
	t.Helper()
	base, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{IdleTimeout: time.Minute}
	trusting(&cfg)
	for _, f := range change {
		f(&cfg)
	}
	d := NewDirect(cfg, base, new(Connections))
	if d == nil {
		t.Fatal("there is none for " + target)
	}
	t.Cleanup(d.Close)
	return d
}

// post returns a request to the target.
func post(target, body string) *http.Request {
	u, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	return &http.Request{
		Method: http.MethodPost, URL: u, Host: u.Host, Header: http.Header{"User-Agent": {"test"}, "Accept-Encoding": {"identity"}},
		Body: io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)),
	}
}

// attemptDirect sends one POST as a call does. It returns the response's body, and reports
// whether a byte of the request may have left.
func attemptDirect(ctx context.Context, d *Direct, target string) (body string, sent bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	track := NewTracker()
	resp, err := d.RoundTrip(ctx, requestOf(post(target, "{}"), "{}"), track)
	if err != nil {
		return "", track.Sent(ctx, err), err
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return string(b), true, err
}

// respond reads a request and writes a response.
func respond(c net.Conn, response string) {
	readRequest(c)
	_, _ = io.WriteString(c, response)
}

func TestNewDirect_WhatNeedsNetHTTP_HasNone(t *testing.T) {
	t.Parallel()
	proxy := &url.URL{Scheme: "http", Host: "proxy.test:3128"}
	dial := func(context.Context, string, string) (net.Conn, error) { return nil, io.EOF }
	for _, c := range []struct {
		base string
		cfg  Config
		want string
	}{
		{"https://diga.test", Config{}, "diga.test:443"},
		{"http://diga.test", Config{Proxy: proxy}, ""},
		{"http://diga.test", Config{Dial: dial}, ""},
		{"http://düga.test", Config{}, ""},
		{"http://diga.test", Config{}, "diga.test:80"},
		{"http://diga.test:8080", Config{}, "diga.test:8080"},
		{"http://[::1]", Config{}, "[::1]:80"},
	} {
		base, err := url.Parse(c.base)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if d := NewDirect(c.cfg, base, new(Connections)); d != nil {
			got = d.addr
		}
		if got != c.want {
			t.Errorf("%s %+v: got %q, want %q", c.base, c.cfg, got, c.want)
		}
	}
}

func TestDirect_RefusedConnection_IsNotSent(t *testing.T) {
	overEach(t, func(t *testing.T, secure *tls.Config) {
		target := script(t, secure, func(net.Conn) {})
		d := newDirect(t, target)
		if _, _, err := attemptDirect(t.Context(), d, target); err == nil {
			t.Fatal("a response came from nobody")
		}
		if _, sent, err := attemptDirect(t.Context(), d, target); err == nil || sent {
			t.Fatalf("sent=%v err=%v, want a failure with nothing sent", sent, err)
		}
	})
}

func TestDirect_ResetAfterTheRequestWasRead_IsSentAndNotRepeated(t *testing.T) {
	overEach(t, func(t *testing.T, secure *tls.Config) {
		again := make(chan struct{})
		target := script(t, secure,
			func(c net.Conn) { respond(c, okResponse); readRequest(c); reset(c) },
			func(net.Conn) { close(again) },
		)
		d := newDirect(t, target)
		if body, _, err := attemptDirect(t.Context(), d, target); body != "{}" || err != nil {
			t.Fatalf("%q, %v", body, err)
		}
		if _, sent, err := attemptDirect(t.Context(), d, target); err == nil || !sent {
			t.Fatalf("sent=%v err=%v, want a failure after sending", sent, err)
		}
		select {
		case <-again:
			t.Error("it was repeated")
		default:
		}
		if _, _, err := attemptDirect(t.Context(), d, target); err == nil { // it ends the script
			t.Error("a response came from nobody")
		}
	})
}

func TestDirect_CallerLeavesWhileTheUpstreamIsSilent_IsSent(t *testing.T) {
	overEach(t, func(t *testing.T, secure *tls.Config) {
		for name, part := range map[string]string{"before the response": "", "in the header": "HTTP/1.1 200 OK\r\nContent-", "in the body": okResponse[:len(okResponse)-1]} {
			ctx, cancel := context.WithCancel(t.Context())
			closed := make(chan struct{})
			target := script(t, secure, func(c net.Conn) {
				respond(c, part)
				cancel()
				_, _ = c.Read(make([]byte, 1)) // until the client closes
				close(closed)
			})
			_, sent, err := attemptDirect(ctx, newDirect(t, target), target)
			if err == nil || ctx.Err() == nil || !sent {
				t.Errorf("%s: sent=%v err=%v, want a failure after sending", name, sent, err)
			}
			await.Value(t, closed, "the end of the connection")
		}
	})
}

// A request of which the system took a part may have been read, however little it was.
func TestDirect_WriteThatEndsInTheMiddle_IsSent(t *testing.T) {
	overEach(t, func(t *testing.T, secure *tls.Config) {
		for name, end := range map[string]func(cancel func(), c net.Conn){
			"cancelled": func(cancel func(), _ net.Conn) { cancel() },
			"reset":     func(_ func(), c net.Conn) { reset(c) },
		} {
			ctx, cancel := context.WithCancel(t.Context())
			var once sync.Once
			target := serve(t, secure, func(_ int, c net.Conn) {
				_, _ = c.Read(make([]byte, 1)) // and no more of what is more than any buffer
				once.Do(func() { end(cancel, c) })
				<-ctx.Done()
			})
			d := newDirect(t, target)
			req := post(target, "{}")
			req.Header.Set("X-Long", strings.Repeat("x", 32<<20))
			track := NewTracker()
			_, err := d.RoundTrip(ctx, requestOf(req, "{}"), track)
			if err == nil || !track.Sent(ctx, err) {
				t.Errorf("%s: err=%v, want a failure after sending", name, err)
			}
			cancel()
		}
	})
}

// A connection that takes nothing of a request is not the end of it.
func TestDirect_WriteThatTakesNothing_TakesAnotherConnection(t *testing.T) {
	overEach(t, func(t *testing.T, secure *tls.Config) {
		var requests atomic.Int32
		target := serve(t, secure, func(_ int, c net.Conn) {
			for in := bufio.NewReader(c); ; {
				r, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				requests.Add(1)
				_, _ = io.WriteString(c, okResponse)
			}
		})
		d := newDirect(t, target)
		for range 2 {
			if body, _, err := attemptDirect(t.Context(), d, target); body != "{}" || err != nil {
				t.Fatalf("%q, %v", body, err)
			}
			d.mu.Lock()
			_ = d.idle[0].socket.Conn.(*net.TCPConn).CloseWrite()
			d.mu.Unlock()
		}
		if n := requests.Load(); n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
	})
}

// The end of a connection is seen before a request is written into it, in whatever way the
// upstream ended it.
func TestDirect_UpstreamEndedTheIdleConnection_TakesAnother(t *testing.T) {
	overEach(t, func(t *testing.T, secure *tls.Config) {
		ends := map[string]func(net.Conn){
			"closed":      func(c net.Conn) { _ = c.Close() },
			"half closed": func(c net.Conn) { _ = c.(interface{ CloseWrite() error }).CloseWrite() },
			"reset":       reset,
		}
		if secure != nil {
			ends["closed below TLS"] = func(c net.Conn) { _ = c.(*tls.Conn).NetConn().Close() }
		}
		for name, end := range ends {
			idle := make(chan struct{})
			target := serve(t, secure, func(n int, c net.Conn) {
				respond(c, okResponse)
				if n == 1 {
					<-idle
					end(c)
				}
			})
			d := newDirect(t, target)
			if body, _, err := attemptDirect(t.Context(), d, target); body != "{}" || err != nil {
				t.Fatalf("%s: %q, %v", name, body, err)
			}
			close(idle)
			awaitArrival(t, d)
			if body, _, err := attemptDirect(t.Context(), d, target); body != "{}" || err != nil {
				t.Errorf("%s: then %q, %v", name, body, err)
			}
		}
	})
}

// A response that nobody asked for is nobody's.
func TestDirect_BytesBeforeTheRequest_TakesAnotherConnection(t *testing.T) {
	overEach(t, func(t *testing.T, secure *tls.Config) {
		written, ended := make(chan struct{}), make(chan struct{})
		target := script(t, secure,
			func(c net.Conn) {
				respond(c, okResponse)
				_, _ = io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
				close(written)
				_, _ = io.Copy(io.Discard, c)
				close(ended)
			},
			func(c net.Conn) { respond(c, okResponse) },
		)
		d := newDirect(t, target)
		for range 2 {
			if body, _, err := attemptDirect(t.Context(), d, target); body != "{}" || err != nil {
				t.Fatalf("%q, %v", body, err)
			}
			await.Value(t, written, "the second response")
		}
		await.Value(t, ended, "the end of the first connection")
	})
}

func TestDirect_ConnectionWithoutAnExchange_IsClosedInTime(t *testing.T) {
	overEach(t, func(t *testing.T, secure *tls.Config) {
		ended := make(chan struct{})
		target := script(t, secure, func(c net.Conn) {
			respond(c, okResponse)
			_, _ = io.Copy(io.Discard, c)
			close(ended)
		})
		d := newDirect(t, target, func(cfg *Config) { cfg.IdleTimeout = 10 * time.Millisecond })
		if body, _, err := attemptDirect(t.Context(), d, target); body != "{}" || err != nil {
			t.Fatalf("%q, %v", body, err)
		}
		await.Value(t, ended, "the end of the connection")
	})
}

func TestDirect_Close_EndsTheConnections(t *testing.T) {
	overEach(t, func(t *testing.T, secure *tls.Config) {
		ended := make(chan struct{})
		target := script(t, secure, func(c net.Conn) {
			respond(c, okResponse)
			_, _ = io.Copy(io.Discard, c)
			close(ended)
		})
		d := newDirect(t, target)
		if body, _, err := attemptDirect(t.Context(), d, target); body != "{}" || err != nil {
			t.Fatalf("%q, %v", body, err)
		}
		d.Close()
		await.Value(t, ended, "the end of the connection")
	})
}

// Whatever a response leaves of its connection, the next request gets one of its own, or
// one on which nothing is left.
func TestDirect_AfterAnyResponse_TheNextHasItsOwn(t *testing.T) {
	overEach(t, func(t *testing.T, secure *tls.Config) {
		for _, c := range []struct {
			name, response string
			reused         bool
		}{
			{"length", okResponse, true},
			{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", true},
			{"no body", "HTTP/1.1 204 No Content\r\n\r\n", true},
			{"interim", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + okResponse, true},
			{"switched", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", false},
			{"close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", false},
			{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", false},
			{"more than its length", okResponse + "}", false},
		} {
			first := make(chan struct{})
			more := make(chan bool, 1)
			target := script(t, secure,
				func(conn net.Conn) {
					in := bufio.NewReader(conn)
					if _, err := http.ReadRequest(in); err != nil {
						t.Error(err)
					}
					_, _ = io.WriteString(conn, c.response)
					close(first)
					_, _ = in.Discard(2) // the body
					_, err := http.ReadRequest(in)
					more <- err == nil
					if err == nil {
						_, _ = io.WriteString(conn, okResponse)
					}
				},
				func(conn net.Conn) { respond(conn, okResponse) },
			)
			d := newDirect(t, target)
			if _, _, err := attemptDirect(t.Context(), d, target); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			await.Value(t, first, "the first response")
			if body, _, err := attemptDirect(t.Context(), d, target); body != "{}" || err != nil {
				t.Errorf("%s: then %q, %v", c.name, body, err)
			}
			if got := await.Value(t, more, "the end of the first connection"); got != c.reused {
				t.Errorf("%s: reused=%v, want %v", c.name, got, c.reused)
			}
			d.Close()
			if c.reused {
				last, err := net.Dial("tcp", d.addr) // so that the script ends
				if err == nil {
					_ = last.Close()
				}
			}
		}
	})
}

// A response that is left unread takes its connection with it, whether its body is there
// or still to come.
func TestDirect_BodyThatIsNotReadToItsEnd_EndsTheConnection(t *testing.T) {
	overEach(t, func(t *testing.T, secure *tls.Config) {
		for _, response := range []string{okResponse, okResponse[:len(okResponse)-len("{}")]} {
			ended := make(chan struct{})
			target := script(t, secure, func(c net.Conn) {
				respond(c, response)
				_, _ = io.Copy(io.Discard, c)
				close(ended)
			})
			resp, err := newDirect(t, target).RoundTrip(t.Context(), requestOf(post(target, "{}"), "{}"), NewTracker())
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			await.Value(t, ended, "the end of the connection")
		}
	})
}

// what a round trip gives, as far as calls look at it.
type outcome struct {
	failed bool
	status int
	header http.Header
	length int64
	body   string
	broken bool
}

func outcomeOf(resp *http.Response, err error) outcome {
	if err != nil {
		return outcome{failed: true}
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return outcome{status: resp.StatusCode, header: resp.Header, length: resp.ContentLength, body: string(b), broken: err != nil}
}

// FuzzDirect holds Direct against net/http's transport: both send the same bytes, and make
// the same of whatever comes back.
func FuzzDirect(f *testing.F) {
	for _, response := range []string{
		okResponse, okResponse + okResponse, okResponse[:20], okResponse[:len(okResponse)-1], "", "\r\n", "HTTP/1.1 200\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
		"HTTP/1.1 200 OK\r\n\r\n{}", "HTTP/1.0 200 OK\r\n\r\n{}", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n" + okResponse, "HTTP/1.1 101 Switching Protocols\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nA: " + string(bytes.Repeat([]byte("x"), 5000)) + "\r\n\r\n{}",
		"HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 99 x\r\n\r\n", "SSH-2.0-x\r\n",
		"HTTP/0.0 000 \n\n", "HTTP/1.1 099 x\r\n\r\n" + okResponse, "HTTP/1.1 000 x\r\nContent-Length: 2\r\n\r\n{}",
	} {
		f.Add(response, "{}", false)
		f.Add(response, "{}", true)
	}
	responses, requests := make(chan string, 1), make(chan string, 1)
	handle := func(_ int, c net.Conn) {
		var seen bytes.Buffer
		in := bufio.NewReader(io.TeeReader(c, &seen))
		if r, err := http.ReadRequest(in); err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		_, _ = io.WriteString(c, <-responses)
		_ = c.(interface{ CloseWrite() error }).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
		requests <- seen.String()
	}
	plain, secured := serve(f, nil, handle)+"/v1/x%2Fy?q=1", serve(f, serverTLS(f, tls.VersionTLS13), handle)+"/v1/x%2Fy?q=1"
	f.Fuzz(func(t *testing.T, response, body string, secure bool) {
		if len(body) == 0 || len(body) > maxDirect {
			return
		}
		// A transport and a Direct of their own: no exchange has the connection of another.
		const maxHeader = 4 << 10
		target := plain
		if secure {
			target = secured
		}
		cfg := Config{IdleTimeout: time.Minute, MaxResponseHeader: maxHeader}
		trusting(&cfg)
		tr := NewTransport(cfg, new(Connections))
		responses <- response
		want := outcomeOf(tr.RoundTrip(post(target, body)))
		tr.CloseIdleConnections()
		wantRequest := <-requests
		d := newDirect(t, target, func(cfg *Config) { cfg.MaxResponseHeader = maxHeader })
		responses <- response
		got := outcomeOf(d.RoundTrip(t.Context(), requestOf(post(target, body), body), NewTracker()))
		d.Close()
		gotRequest := <-requests
		if gotRequest != wantRequest {
			t.Errorf("the request is\n%q, want\n%q", gotRequest, wantRequest)
		}
		if want.status == http.StatusSwitchingProtocols {
			want.body, want.broken = "", false // net/http hands over the connection
		}
		if !equal(got, want) {
			t.Errorf("%q: got\n%+v, want\n%+v", response, got, want)
		}
	})
}

func equal(a, b outcome) bool {
	return a.failed == b.failed && a.status == b.status && a.length == b.length && a.body == b.body && a.broken == b.broken &&
		headerText(a.header) == headerText(b.header)
}

func headerText(h http.Header) string {
	var b bytes.Buffer
	_ = h.Write(&b)
	return b.String()
}

func TestDirect_HeaderBeyondTheBound_Fails(t *testing.T) {
	overEach(t, func(t *testing.T, secure *tls.Config) {
		const bound = 4 << 10
		target := script(t, secure, func(c net.Conn) {
			respond(c, "HTTP/1.1 200 OK\r\nX: "+string(bytes.Repeat([]byte("x"), 2*bound))+"\r\n\r\n")
		})
		_, sent, err := attemptDirect(t.Context(), newDirect(t, target, func(cfg *Config) { cfg.MaxResponseHeader = bound }), target)
		if err == nil || errors.Is(err, io.EOF) || !sent {
			t.Errorf("sent=%v err=%v, want a failure that names the bound", sent, err)
		}
	})
}
