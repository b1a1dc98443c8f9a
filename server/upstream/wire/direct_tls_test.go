//go:build unix

package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/test/await"
)

// secured returns the target of an upstream that speaks TLS by itself.
func secured(target string) string { return "https" + target[len("http"):] }

// What TLS itself sends on an idle connection leaves it as it is, and whatever else comes
// ends it. The request that follows is sent once in either case.
func TestDirect_RecordsOnAnIdleConnection_EndItUnlessTheyAreTheOnesOfTLS(t *testing.T) {
	t.Parallel()
	of := func(kind byte, text []byte) func(*forger) { return func(f *forger) { f.write(kind, text) } }
	half := func(kind byte, text []byte) func(*forger) {
		return func(f *forger) {
			b := f.record(kind, text)
			_, _ = f.raw.Write(b[:len(b)-1])
		}
	}
	for _, c := range []struct {
		name    string
		version uint16
		send    func(*forger)
		stays   bool
		rest    []byte // of a message, before the next response
	}{
		{"ticket", tls.VersionTLS13, of(recordHandshake, newTicket), true, nil},
		{"three tickets", tls.VersionTLS13, func(f *forger) {
			for range 3 {
				f.write(recordHandshake, newTicket)
			}
		}, true, nil},
		{"a part of a ticket, in a whole record", tls.VersionTLS13, of(recordHandshake, newTicket[:7]), true, newTicket[7:]},
		{"key update", tls.VersionTLS13, of(recordHandshake, keyUpdate), true, nil},
		{"key update for both", tls.VersionTLS13, of(recordHandshake, keyUpdateForBoth), true, nil},
		{"warning", tls.VersionTLS13, of(recordAlert, userCanceled), true, nil},
		{"half of a ticket's record", tls.VersionTLS13, half(recordHandshake, newTicket), false, nil},
		{"the header of a record", tls.VersionTLS13, func(f *forger) { _, _ = f.raw.Write([]byte{recordApplication, 3, 3, 0}) }, false, nil},
		{"response", tls.VersionTLS13, of(recordApplication, []byte(okResponse)), false, nil},
		{"a byte of a response, after a ticket", tls.VersionTLS13, func(f *forger) {
			_, _ = f.raw.Write(append(f.record(recordHandshake, newTicket), f.record(recordApplication, []byte("H"))...))
		}, false, nil},
		{"half of a response's record", tls.VersionTLS13, half(recordApplication, []byte(okResponse)), false, nil},
		{"end", tls.VersionTLS13, of(recordAlert, closeNotify), false, nil},
		{"end, after a ticket", tls.VersionTLS13, func(f *forger) {
			_, _ = f.raw.Write(append(f.record(recordHandshake, newTicket), f.record(recordAlert, closeNotify)...))
		}, false, nil},
		{"failure", tls.VersionTLS13, of(recordAlert, internalError), false, nil},
		{"bytes without TLS", tls.VersionTLS13, func(f *forger) { _, _ = f.raw.Write([]byte(okResponse)) }, false, nil},

		{"warning", tls.VersionTLS12, of(recordAlert, userCanceled), true, nil},
		{"renegotiation", tls.VersionTLS12, of(recordHandshake, helloRequest), false, nil},
		{"response", tls.VersionTLS12, of(recordApplication, []byte(okResponse)), false, nil},
		{"half of a response's record", tls.VersionTLS12, half(recordApplication, []byte(okResponse)), false, nil},
		{"end", tls.VersionTLS12, of(recordAlert, closeNotify), false, nil},
		{"failure", tls.VersionTLS12, of(recordAlert, internalError), false, nil},
	} {
		t.Run(c.name+" over "+tls.VersionName(c.version), func(t *testing.T) {
			t.Parallel()
			var requests, connections atomic.Int32
			idle := make(chan struct{})
			target := secured(serve(t, nil, func(n int, raw net.Conn) {
				connections.Add(1)
				f := forge(t, raw, c.version)
				for f.request() {
					if requests.Add(1) == 1 {
						f.write(recordApplication, []byte(okResponse))
						<-idle
						c.send(f)
						continue
					}
					if n == 1 && c.rest != nil {
						f.write(recordHandshake, c.rest)
					}
					f.write(recordApplication, []byte(okResponse))
				}
			}))
			d := newDirect(t, target)
			if body, _, err := attemptDirect(t.Context(), d, target); body != "{}" || err != nil {
				t.Fatalf("%q, %v", body, err)
			}
			close(idle)
			awaitArrival(t, d)
			if body, _, err := attemptDirect(t.Context(), d, target); body != "{}" || err != nil {
				t.Fatalf("then %q, %v", body, err)
			}
			want := int32(2)
			if c.stays {
				want = 1
			}
			if got := connections.Load(); got != want || requests.Load() != 2 {
				t.Errorf("%d requests on %d connections, want 2 on %d", requests.Load(), got, want)
			}
		})
	}
}

// What TLS sends between a request and its response is none of either. A renegotiation is
// refused, and the request may have been read.
func TestDirect_RecordsBeforeTheResponse_LeaveTheRequestSentOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		version uint16
		message []byte
		fails   bool
	}{
		{"ticket", tls.VersionTLS13, newTicket, false},
		{"key update", tls.VersionTLS13, keyUpdate, false},
		{"key update for both", tls.VersionTLS13, keyUpdateForBoth, false},
		{"renegotiation", tls.VersionTLS12, helloRequest, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			target := secured(serve(t, nil, func(_ int, raw net.Conn) {
				f := forge(t, raw, c.version)
				for f.request() {
					requests.Add(1)
					f.write(recordHandshake, c.message)
					f.write(recordApplication, []byte(okResponse))
				}
			}))
			_, sent, err := attemptDirect(t.Context(), newDirect(t, target), target)
			if (err != nil) != c.fails || !sent || requests.Load() != 1 {
				t.Errorf("sent=%v err=%v, %d requests", sent, err, requests.Load())
			}
		})
	}
}

// A handshake that fails has sent nothing of the request, and says what net/http says.
func TestDirect_HandshakeThatFails_IsNotSentAndSaysWhatTheTransportSays(t *testing.T) {
	t.Parallel()
	others, err := authority.New("another")
	if err != nil {
		t.Fatal(err)
	}
	with := func(version uint16, change func(*tls.Config)) *tls.Config {
		c := serverTLS(t, version)
		change(c)
		return c
	}
	showing := func(a *authority.Authority, r authority.Request) *tls.Config {
		return with(tls.VersionTLS13, func(c *tls.Config) { c.Certificates = []tls.Certificate{certificate(t, a, r)} })
	}
	demanding := func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }
	here := []string{"127.0.0.1"}
	for name, c := range map[string]struct {
		secure *tls.Config
		raw    func(net.Conn)
		want   string
	}{
		"another authority":            {secure: showing(others, authority.Request{Names: here}), want: "Diga's certificate is not valid for this host"},
		"another name":                 {secure: showing(trusted(), authority.Request{Names: []string{"127.0.0.2"}}), want: "Diga's certificate is not valid for this host"},
		"expired":                      {secure: showing(trusted(), authority.Request{Names: here, NotAfter: time.Now().Add(-time.Minute)}), want: "Diga's certificate is not valid for this host"},
		"not yet valid":                {secure: showing(trusted(), authority.Request{Names: here, NotBefore: time.Now().Add(time.Hour)}), want: "Diga's certificate is not valid for this host"},
		"TLS 1.1":                      {secure: with(tls.VersionTLS11, func(*tls.Config) {}), want: "TLS failed"},
		"a certificate is missed, 1.2": {secure: with(tls.VersionTLS12, demanding), want: "TLS failed"},
		"a certificate is missed, 1.3": {secure: with(tls.VersionTLS13, demanding), want: "Diga did not accept the client's certificate, or misses one"},
		"no TLS": {raw: func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
		}, want: "TLS failed"},
		"closed": {raw: func(c net.Conn) { _, _ = c.Read(make([]byte, 9000)); _ = c.Close() }, want: "connection closed"},
		"reset":  {raw: reset, want: "connection reset"},
		"cut in the middle": {raw: func(c net.Conn) {
			_, _ = c.Read(make([]byte, 9000))
			_, _ = c.Write([]byte{22, 3, 3, 0, 9, 2})
			_ = c.Close()
		}, want: "connection closed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			target := serve(t, c.secure, func(_ int, conn net.Conn) {
				if c.raw != nil {
					c.raw(conn)
					return
				}
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					requests.Add(1)
				}
			})
			if c.raw != nil {
				target = secured(target)
			}
			d := newDirect(t, target)
			track := NewTracker()
			_, err := d.RoundTrip(t.Context(), requestOf(post(target, "{}"), "{}"), track)
			if err == nil || track.Sent(t.Context(), err) || Describe(err) != c.want {
				t.Errorf("got %v, want %q and nothing sent", err, c.want)
			}
			cfg := Config{}
			trusting(&cfg)
			sent, err := attempt(t.Context(), NewTransport(cfg, new(Connections)), target, []byte("{}"))
			if err == nil || sent || Describe(err) != c.want {
				t.Errorf("the transport says sent=%v, %v", sent, err)
			}
			if n := requests.Load(); n > 0 {
				t.Errorf("%d requests were read", n)
			}
		})
	}
}

// stalled returns an upstream whose connections up to a number say nothing to a handshake. A
// channel tells of each that it has begun.
func stalled(t *testing.T, upTo int) (target string, began chan struct{}) {
	began = make(chan struct{}, 9)
	secure := serverTLS(t, tls.VersionTLS13)
	return secured(serve(t, nil, func(n int, raw net.Conn) {
		if n <= upTo {
			_, _ = raw.Read(make([]byte, 1))
			began <- struct{}{}
			_, _ = io.Copy(io.Discard, raw)
			return
		}
		respond(tls.Server(raw, secure), okResponse)
	})), began
}

func TestDirect_HandshakeWithoutAReply_IsGivenUpAndNotSent(t *testing.T) {
	t.Parallel()
	target, _ := stalled(t, 1)
	begun := time.Now()
	_, sent, err := attemptDirect(t.Context(), newDirect(t, target), target)
	if took := time.Since(begun); err == nil || sent || Describe(err) != "timed out" || took < handshakeTimeout {
		t.Errorf("sent=%v err=%v after %v, want it to be given up after %v", sent, err, took, handshakeTimeout)
	}
}

func TestDirect_CallerLeavesInTheHandshake_IsNotSent(t *testing.T) {
	t.Parallel()
	target, began := stalled(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-began
		cancel()
	}()
	if _, sent, err := attemptDirect(ctx, newDirect(t, target), target); !errors.Is(err, context.Canceled) || sent {
		t.Errorf("sent=%v err=%v, want cancelled with nothing sent", sent, err)
	}
}

func TestDirect_CutInTheHandshake_EndsIt(t *testing.T) {
	t.Parallel()
	target, began := stalled(t, 1)
	d := newDirect(t, target)
	go func() {
		<-began
		d.open.Cut()
	}()
	if _, sent, err := attemptDirect(t.Context(), d, target); err == nil || sent || Describe(err) == "timed out" {
		t.Errorf("sent=%v err=%v, want a failure at once with nothing sent", sent, err)
	}
}

// Callers that have less time than a handshake takes get a connection in the end.
func TestDirect_CallerLeftInTheHandshake_LeavesTheConnectionToTheNext(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		secure := serverTLS(t, version)
		began, goOn := make(chan struct{}), make(chan struct{})
		var connections atomic.Int32
		target := secured(serve(t, nil, func(_ int, raw net.Conn) {
			connections.Add(1)
			close(began)
			<-goOn
			respond(tls.Server(raw, secure), okResponse)
		}))
		d := newDirect(t, target)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-began
			cancel()
		}()
		if _, sent, err := attemptDirect(ctx, d, target); !errors.Is(err, context.Canceled) || sent {
			t.Fatalf("sent=%v err=%v", sent, err)
		}
		close(goOn)
		if err := await.Poll(10*time.Second, nil, func() error {
			d.mu.Lock()
			defer d.mu.Unlock()
			if len(d.idle) == 0 {
				return errors.New("no connection is idle")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if body, _, err := attemptDirect(t.Context(), d, target); body != "{}" || err != nil || connections.Load() != 1 {
			t.Errorf("%q, %v, %d connections", body, err, connections.Load())
		}
	}
}

// A call that waits for a new connection takes one that becomes idle before that is there.
func TestDirect_ConnectionThatBecomesIdle_IsTakenByWhoWaits(t *testing.T) {
	t.Parallel()
	secure := serverTLS(t, tls.VersionTLS13)
	first, second, goOn := make(chan struct{}), make(chan struct{}), make(chan struct{})
	target := secured(serve(t, nil, func(n int, raw net.Conn) {
		if n > 1 {
			close(second)
			_, _ = io.Copy(io.Discard, raw)
			return
		}
		c := tls.Server(raw, secure)
		in := bufio.NewReader(c)
		for i := range 2 {
			r, err := http.ReadRequest(in)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if i == 0 {
				close(first)
				<-goOn
			}
			_, _ = io.WriteString(c, okResponse)
		}
	}))
	d := newDirect(t, target)
	errs := make(chan error, 2)
	call := func() {
		_, _, err := attemptDirect(t.Context(), d, target)
		errs <- err
	}
	go call()
	await.Value(t, first, "the first request")
	go call()
	await.Value(t, second, "the second connection")
	close(goOn)
	for range 2 {
		if err := await.Value(t, errs, "a call"); err != nil {
			t.Error(err)
		}
	}
}

// The first bytes of a connection are those of net/http's, but for what is random in them.
func TestDirect_ClientHello_IsTheTransports(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		hellos := make(chan *tls.ClientHelloInfo, 2)
		secure := serverTLS(t, tls.VersionTLS13)
		secure.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			h.Conn = nil
			hellos <- h
			return nil, nil
		}
		target := serve(t, secure, func(_ int, c net.Conn) { respond(c, okResponse) })
		offering := func(cfg *Config) { cfg.HTTP2 = http2 }
		d := newDirect(t, target, offering)
		if _, _, err := attemptDirect(t.Context(), d, target); err != nil {
			t.Fatal(err)
		}
		cfg := Config{HTTP2: http2}
		trusting(&cfg)
		tr := NewTransport(cfg, new(Connections))
		if _, err := attempt(t.Context(), tr, target, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		tr.CloseIdleConnections()
		text := func(h *tls.ClientHelloInfo) string {
			return fmt.Sprint(h.ServerName, h.SupportedProtos, h.SupportedVersions, h.CipherSuites, h.SupportedCurves, h.SignatureSchemes, h.Extensions)
		}
		got, want := text(<-hellos), text(<-hellos)
		if got != want {
			t.Errorf("HTTP/2 %v: got\n%s, want\n%s", http2, got, want)
		}
	}
}

// The second connection resumes the session of the first, whichever way made that.
func TestDirect_SecondConnection_ResumesTheSession(t *testing.T) {
	t.Parallel()
	for name, version := range versions {
		resumed := make(chan bool, 9)
		target := serve(t, serverTLS(t, version), func(_ int, c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
			resumed <- c.(*tls.Conn).ConnectionState().DidResume
			_ = c.Close()
		})
		var shared Config
		d := newDirect(t, target, func(cfg *Config) { shared = *cfg })
		for _, want := range []bool{false, true} {
			if _, _, err := attemptDirect(t.Context(), d, target); err != nil {
				t.Fatal(err)
			}
			if got := await.Value(t, resumed, "a connection"); got != want {
				t.Errorf("%s: resumed=%v, want %v", name, got, want)
			}
		}
		if _, err := attempt(t.Context(), NewTransport(shared, new(Connections)), target, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if !await.Value(t, resumed, "a connection") {
			t.Errorf("%s: the transport has no session", name)
		}
	}
}

// An upstream that chooses HTTP/2 after all gets nothing that is not HTTP/2.
func TestDirect_UpstreamThatChoosesHTTP2_IsLeftToTheTransport(t *testing.T) {
	t.Parallel()
	secure := serverTLS(t, tls.VersionTLS13)
	secure.NextProtos = []string{"h2"}
	read := make(chan int64, 1)
	target := serve(t, secure, func(_ int, c net.Conn) {
		n, _ := io.Copy(io.Discard, c)
		read <- n
	})
	d := newDirect(t, target, func(cfg *Config) { cfg.HTTP2 = true })
	if d.Takes(http.MethodPost, []byte("{}")) {
		t.Error("it takes requests before it is known what the upstream speaks")
	}
	d.Learn(2)
	if d.Takes(http.MethodPost, []byte("{}")) {
		t.Error("it takes requests to an upstream that speaks HTTP/2")
	}
	d.Learn(1)
	if !d.Takes(http.MethodPost, []byte("{}")) {
		t.Error("it takes no request to an upstream that speaks HTTP/1.1")
	}
	_, sent, err := attemptDirect(t.Context(), d, target)
	if !errors.Is(err, ErrHTTP2) || sent || d.Takes(http.MethodPost, []byte("{}")) {
		t.Errorf("sent=%v err=%v", sent, err)
	}
	if n := await.Value(t, read, "the end of the connection"); n != 0 {
		t.Errorf("%d bytes were sent", n)
	}
}

// A request of any size that is sent directly is one record, which the system takes whole.
func TestDirect_LongestRequest_IsOneRecord(t *testing.T) {
	t.Parallel()
	for name, version := range versions {
		first := make(chan []byte, 1)
		target := serve(t, serverTLS(t, version), func(_ int, c net.Conn) {
			b := make([]byte, 32<<10)
			n, _ := c.Read(b) // of one record at most
			first <- b[:n]
			_, _ = io.WriteString(c, okResponse)
			_, _ = io.Copy(io.Discard, c)
		})
		d := newDirect(t, target)
		body := bytes.Repeat([]byte("x"), maxDirect)
		resp, err := d.RoundTrip(t.Context(), requestOf(post(target, string(body)), string(body)), NewTracker())
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := await.Value(t, first, "a record"); !bytes.HasSuffix(got, body) {
			t.Errorf("%s: the first record has %d bytes", name, len(got))
		}
	}
}

func TestRecords_BytesInAnyPieces_AreWholeWhereARecordEnds(t *testing.T) {
	t.Parallel()
	all := []byte{22, 3, 3, 0, 2, 'a', 'b', 23, 3, 3, 0, 0, 23, 3, 3, 1, 1}
	all = append(all, bytes.Repeat([]byte{'x'}, 257)...)
	wholeAfter := map[int]bool{0: true, 7: true, 12: true, len(all): true}
	for n := range len(all) + 1 {
		var once, each records
		once.follow(all[:n])
		r := iotest.OneByteReader(bytes.NewReader(all[:n]))
		for b := make([]byte, 1); ; {
			n, err := r.Read(b)
			if err != nil {
				break
			}
			each.follow(b[:n])
		}
		if once.whole() != wholeAfter[n] || each.whole() != wholeAfter[n] {
			t.Errorf("after %d bytes: whole=%v and %v, want %v", n, once.whole(), each.whole(), wholeAfter[n])
		}
	}
}
