package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract/contracttest"
)

// stream is one request that a scripted HTTP/2 upstream has read to its end.
type stream struct {
	*http2.Framer
	conn   net.Conn
	id     uint32
	nth    int // on its connection, from 1
	header map[string]string
	body   string
}

// respond writes a whole response, or one without its end.
func (s *stream) respond(body string, end bool) {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	_ = enc.WriteField(hpack.HeaderField{Name: ":status", Value: "201"})
	_ = enc.WriteField(hpack.HeaderField{Name: "content-length", Value: strconv.Itoa(len(wholeResponse))})
	_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: b.Bytes(), EndHeaders: true})
	_ = s.WriteData(s.id, end, []byte(body))
}

// h2Upstream is a scripted HTTP/2 server. The script is called once a request was
// read, one at a time on a connection, and says whether to go on.
type h2Upstream struct {
	mu      sync.Mutex
	conns   []net.Conn
	streams int // that were opened
	script  func(s *stream) (keep bool)
	silent  bool // pings are not acknowledged
}

func offerHTTP2(c *Config) { c.HTTP2 = true }

func newH2Upstream(t *testing.T, script func(s *stream) bool) (*h2Upstream, *Client) {
	t.Helper()
	conf, roots := serverTLS(t, "h2")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &h2Upstream{script: script}
	v.run(t, tls.NewListener(ln, conf))
	return v, newClient(t, "https://"+ln.Addr().String(), trusting(roots), offerHTTP2)
}

// newPipedH2 is newH2Upstream on pipes, for a test in a synctest bubble. The
// configuration comes from outside of the bubble, as serverTLS returns it.
func newPipedH2(t *testing.T, conf *tls.Config, roots *x509.CertPool, v *h2Upstream) *Client {
	t.Helper()
	ln := newPipes()
	v.run(t, tls.NewListener(bufferedPipes{ln}, conf))
	return newClientOver(t, ln, "https://"+ln.Addr().String(), trusting(roots), offerHTTP2)
}

// run serves the listener's connections until the test ends. It then closes them
// itself: a client keeps a connection whose stream it has just cancelled until
// its idle timeout.
func (v *h2Upstream) run(t *testing.T, ln net.Listener) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			v.mu.Lock()
			v.conns = append(v.conns, conn)
			v.mu.Unlock()
			wg.Go(func() { v.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		v.mu.Lock()
		for _, conn := range v.conns {
			_ = conn.(*tls.Conn).NetConn().Close()
		}
		v.mu.Unlock()
		wg.Wait()
	})
}

func (v *h2Upstream) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	fr := http2.NewFramer(conn, conn)
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = fr.WriteSettings()
	open := make(map[uint32]*stream)
	nth := 0
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			return
		}
		id := f.Header().StreamID
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = fr.WriteSettingsAck()
			}
			continue
		case *http2.PingFrame:
			if !f.IsAck() && !v.silent {
				_ = fr.WritePing(true, f.Data)
			}
			continue
		case *http2.MetaHeadersFrame:
			nth++
			v.mu.Lock()
			v.streams++
			v.mu.Unlock()
			s := &stream{Framer: fr, conn: conn, id: id, nth: nth, header: make(map[string]string)}
			for _, field := range f.Fields {
				s.header[field.Name] = field.Value
			}
			open[id] = s
		case *http2.DataFrame:
			if s := open[id]; s != nil {
				s.body += string(f.Data())
			}
		default:
			continue
		}
		if s := open[id]; s != nil && f.Header().Flags.Has(http2.FlagDataEndStream) {
			delete(open, id)
			if !v.script(s) {
				return
			}
		}
	}
}

func (v *h2Upstream) seen() (streams, conns int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.streams, len(v.conns)
}

func TestHTTP2_Calls_ShareOneConnectionAndSayWhatHTTP1Says(t *testing.T) {
	var got []string
	v, c := newH2Upstream(t, func(s *stream) bool {
		got = append(got, fmt.Sprint(len(s.header), s.header[":method"], s.header[":path"], s.header["content-length"], s.header["accept-encoding"],
			s.header["authorization"], s.header["content-type"], s.header["user-agent"], s.header["accept"], s.body))
		s.respond(wholeResponse, true)
		return true
	})
	for range 5 {
		copyOne(t.Context(), c).want(t, "", done, 201, 1, "")
	}
	want := fmt.Sprint(10, "POST", "/v1/integration/template/"+templateID+"/copy", "2", "identity", "Bearer "+token,
		"application/json", "digate/test", "application/json", "{}")
	if streams, conns := v.seen(); streams != 5 || conns != 1 || got[4] != want {
		t.Errorf("%d streams on %d connections:\n got %q\nwant %q", streams, conns, got, want)
	}
}

// Every failure of a stream, on a new connection and on one that was used: one
// request is sent, and only HTTP/2's own guarantees make it NOT_SENT.
func TestHTTP2_Failures_AreJudgedAndSentOnce(t *testing.T) {
	goAway := func(last uint32, code http2.ErrCode, debug string) func(s *stream) bool {
		return func(s *stream) bool {
			_ = s.WriteGoAway(last, code, []byte(debug))
			untilClosed(s.conn)
			return false
		}
	}
	rst := func(code http2.ErrCode) func(s *stream) bool {
		return func(s *stream) bool { _ = s.WriteRSTStream(s.id, code); return true }
	}
	unprocessed, lost := apierror.ReasonUnreachable, apierror.ReasonOutcomeUnknown
	tests := []struct {
		name   string
		script func(s *stream) bool
		reason string
	}{
		{"RST_STREAM REFUSED_STREAM", rst(http2.ErrCodeRefusedStream), unprocessed},
		{"RST_STREAM CANCEL", rst(http2.ErrCodeCancel), lost},
		{"RST_STREAM INTERNAL_ERROR", rst(http2.ErrCodeInternal), lost},
		{"RST_STREAM PROTOCOL_ERROR", rst(http2.ErrCodeProtocol), lost},
		{"RST_STREAM ENHANCE_YOUR_CALM", rst(http2.ErrCodeEnhanceYourCalm), lost},
		{"RST_STREAM NO_ERROR", rst(http2.ErrCodeNo), lost},
		{"GOAWAY below the stream", goAway(0, http2.ErrCodeNo, ""), unprocessed},
		{"GOAWAY below the stream, with an error", goAway(0, http2.ErrCodeEnhanceYourCalm, "hunter2"), unprocessed},
		{"GOAWAY above the stream, then closed", func(s *stream) bool {
			_ = s.WriteGoAway(s.id, http2.ErrCodeNo, []byte("hunter2"))
			return false
		}, lost},
		{"GOAWAY with an error above the stream, then closed", func(s *stream) bool {
			_ = s.WriteGoAway(s.id, http2.ErrCodeInternal, []byte("hunter2"))
			return false
		}, lost},
		{"GOAWAY whose debug data speaks like net/http", func(s *stream) bool {
			_ = s.WriteGoAway(s.id, http2.ErrCodeInternal, []byte("stream error: stream ID 1; REFUSED_STREAM; received from peer"))
			return false
		}, lost},
		{"connection closed", func(*stream) bool { return false }, lost},
		{"connection reset", func(s *stream) bool { reset(s.conn); return false }, lost},
		{"not HTTP/2", func(s *stream) bool {
			_, _ = io.WriteString(s.conn, "HTTP/1.1 200 OK\r\n\r\nhunter2 hunter2")
			return false
		}, lost},
		{"header that cannot be decoded", func(s *stream) bool {
			_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: []byte("\xff\xff\xff\xff\xff hunter2"), EndHeaders: true})
			return true
		}, lost},
	}
	for _, used := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s, used=%v", tt.name, used), func(t *testing.T) {
				v, c := newH2Upstream(t, func(s *stream) bool {
					if used && s.nth == 1 {
						s.respond(wholeResponse, true)
						return true
					}
					return tt.script(s)
				})
				want := 1
				if used {
					copyOne(t.Context(), c).want(t, "", done, 201, 1, "")
					want = 2
				}
				r := copyOne(t.Context(), c)
				outcome := unknown
				if tt.reason == unprocessed {
					outcome = notSent
				}
				if r.reason() != tt.reason || r.ex.Outcome != outcome || r.ex.Status != 0 || len(r.ex.Attempts) != 1 {
					t.Errorf("got %q %v, %+v", r.reason(), r.ex.Outcome, r.err.Unwrap())
				}
				if strings.Contains(r.ex.Cause, "hunter2") || r.ex.Cause == "the exchange failed" {
					t.Errorf("cause %q of %v", r.ex.Cause, r.err.Unwrap())
				}
				if streams, _ := v.seen(); streams != want {
					t.Errorf("%d requests, want %d", streams, want)
				}
			})
		}
	}
}

// A graceful GOAWAY that spares the stream changes nothing for it; the next
// call takes a new connection.
func TestHTTP2_GracefulGoAway_LetsTheStreamEnd(t *testing.T) {
	v, c := newH2Upstream(t, func(s *stream) bool {
		_ = s.WriteGoAway(1<<31-1, http2.ErrCodeNo, nil)
		s.respond(wholeResponse, true)
		return true
	})
	for range 3 {
		copyOne(t.Context(), c).want(t, "", done, 201, 1, "")
	}
	if streams, conns := v.seen(); streams != 3 || conns != 3 {
		t.Errorf("%d streams on %d connections", streams, conns)
	}
}

func TestHTTP2_ConnectionLostInTheResponse_IsDoneOnceThereIsAnID(t *testing.T) {
	for part, want := range map[string]string{wholeResponse[:60]: "", wholeResponse[:10]: apierror.ReasonOutcomeUnknown} {
		for name, end := range map[string]func(s *stream) bool{
			"closed": func(*stream) bool { return false },
			"reset":  func(s *stream) bool { _ = s.WriteRSTStream(s.id, http2.ErrCodeInternal); return true },
		} {
			_, c := newH2Upstream(t, func(s *stream) bool { s.respond(part, false); return end(s) })
			r := copyOne(t.Context(), c)
			if r.reason() != want || r.ex.Relay || r.ex.Status != 201 {
				t.Errorf("%s: %q, relay %v, HTTP %d, %v", name, r.reason(), r.ex.Relay, r.ex.Status, r.err)
			}
		}
	}
}

// The stream's end is waited for even where all bytes are there: leaving before
// it resets the stream.
func TestHTTP2_ResponseWithoutItsEnd_IsNotWhole(t *testing.T) {
	conf, roots := serverTLS(t, "h2")
	synctest.Test(t, func(t *testing.T) {
		c := newPipedH2(t, conf, roots, &h2Upstream{script: func(s *stream) bool { s.respond(wholeResponse, false); return true }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r := copyOne(ctx, c)
		r.want(t, "", done, 201, 1, "")
		if r.ex.Relay || len(r.ex.Drift) != 1 || r.ex.Duration() != time.Minute-reserve(time.Minute) {
			t.Errorf("relay %v, drift %q, after %v", r.ex.Relay, r.ex.Drift, r.ex.Duration())
		}
	})
}

// A read has no body, which net/http takes for a licence to send again.
func TestHTTP2_ReadThatIsRefused_IsSentOnce(t *testing.T) {
	for _, code := range []http2.ErrCode{http2.ErrCodeRefusedStream, http2.ErrCodeProtocol} {
		v, template := newH2Upstream(t, func(s *stream) bool { _ = s.WriteRSTStream(s.id, code); return true })
		sd := contracttest.Service(t, contracttest.Method("Plain", "Empty", `delete: "/a"`))
		template.rules = compile(loaded(t, sd))
		m := sd.Methods().Get(0)
		err := template.Call(t.Context(), Call{Method: "/t.S/Do", Request: dynamicpb.NewMessage(m.Input()), Response: dynamicpb.NewMessage(m.Output())})
		var e *apierror.Error
		if !errors.As(err, &e) || (e.Outcome == notSent) != (code == http2.ErrCodeRefusedStream) {
			t.Errorf("%v: %v", code, err)
		}
		if streams, _ := v.seen(); streams != 1 {
			t.Errorf("%v: %d requests", code, streams)
		}
	}
}

// One call's end must not take the connection from under the others.
func TestHTTP2_CallerLeaves_TheConnectionStays(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	v, c := newH2Upstream(t, func(s *stream) bool {
		if s.nth == 1 {
			leave()
			return true
		}
		s.respond(wholeResponse, true)
		return true
	})
	copyOne(ctx, c).want(t, apierror.ReasonOutcomeUnknown, unknown, 0, 1, "cancelled")
	copyOne(t.Context(), c).want(t, "", done, 201, 1, "")
	if _, conns := v.seen(); conns != 1 {
		t.Errorf("%d connections", conns)
	}
}

func TestHTTP2_OtherEndGoneWithoutAWord_IsFoundOut(t *testing.T) {
	conf, roots := serverTLS(t, "h2")
	synctest.Test(t, func(t *testing.T) {
		c := newPipedH2(t, conf, roots, &h2Upstream{script: func(*stream) bool { return true }, silent: true})
		r := copyOne(t.Context(), c)
		r.want(t, apierror.ReasonOutcomeUnknown, unknown, 0, 1, "the HTTP/2 stream or connection failed")
		if took := r.ex.Duration(); took > 20*time.Second {
			t.Errorf("found out after %v", took)
		}
	})
}

func TestHTTP2_ManyAtOnce_EachSentOnceAndGetsItsOwnResponse(t *testing.T) {
	var seen reads
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen.add(string(body))
		_, name, _ := strings.Cut(string(body), `"name":"`)
		_, _ = fmt.Fprintf(w, `{"id":"%s"}`, strings.TrimSuffix(name, `"}`))
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	sentOnce(t, newClient(t, srv.URL, trusting(roots), offerHTTP2), 16, 30)
	if len(seen.n) != 16*30 {
		t.Errorf("%d calls were read", len(seen.n))
	}
	for name, n := range seen.n {
		if n != 1 {
			t.Errorf("%s was read %d times", name, n)
		}
	}
}

// Without the flag HTTP/2 is not even offered.
func TestHTTP1_IsTheDefault(t *testing.T) {
	conf, roots := serverTLS(t, "h2", "http/1.1")
	v := newUpstream(t, conf, responding(created()))
	copyOne(t.Context(), newClient(t, v.url(), trusting(roots))).want(t, "", done, 201, 1, "")
}

// An upstream that does not choose HTTP/2 where it is offered gets HTTP/1.1, and HTTP/2 as
// soon as it chooses it.
func TestHTTP2_UpstreamThatChoosesItLater_GetsWhatItSpeaks(t *testing.T) {
	var versions, connections []int
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		versions = append(versions, r.ProtoMajor)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, wholeResponse)
	}))
	srv.EnableHTTP2 = true
	var later atomic.Bool
	srv.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		connections = append(connections, 0)
		if later.Load() {
			return nil, nil
		}
		return &tls.Config{Certificates: srv.TLS.Certificates, NextProtos: []string{"http/1.1"}}, nil
	}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	c := newClient(t, srv.URL, trusting(roots), offerHTTP2)
	for i := range 6 {
		if i == 3 {
			later.Store(true)
			c.transport.Load().CloseIdleConnections()
			srv.CloseClientConnections()
		}
		copyOne(t.Context(), c).want(t, "", done, 201, 1, "")
	}
	if want := []int{1, 1, 1, 2, 2, 2}; !slices.Equal(versions, want) {
		t.Errorf("the requests came by HTTP/%v, want %v", versions, want)
	}
	// The first call's and the next two's, then one that shows the choice, and one for all.
	if len(connections) != 4 {
		t.Errorf("%d connections", len(connections))
	}
}
