package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/secret"
)

const (
	templateID    = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
	integrationID = "0d1c8b9e-54e6-4c3a-8f0a-2f7f1f3d9c11"
	token         = "token-0123456789"
	copyTemplate  = integrationv1.IntegrationService_CopyTemplate_FullMethodName
	wholeResponse = `{"id":"` + integrationID + `","name":"CRM","base_url":"https://crm","auth_type":"NONE","integration_type":"HTTP",` +
		`"created_at":"2026-02-03T04:05:06Z","updated_at":"2026-02-03T04:05:06Z"}`
)

// fakeUpstream is a scripted server: it reads each request to the byte and leaves
// the response to the script, which reports whether the connection may take another.
type fakeUpstream struct {
	ln       net.Listener
	tls      *tls.Config
	respond  func(c net.Conn, request string) (keep bool)
	mu       sync.Mutex
	requests []string
	conns    []net.Conn
	closed   bool
	wg       sync.WaitGroup
}

func newUpstream(t *testing.T, tlsConf *tls.Config, respond func(net.Conn, string) bool) *fakeUpstream {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newUpstreamOn(t, ln, tlsConf, respond)
}

func newUpstreamOn(t *testing.T, ln net.Listener, tlsConf *tls.Config, respond func(net.Conn, string) bool) *fakeUpstream {
	v := &fakeUpstream{ln: ln, tls: tlsConf, respond: respond}
	v.wg.Go(v.accept)
	t.Cleanup(v.close)
	return v
}

// responding returns a script that responds to every request with the text and keeps
// the connection.
func responding(text string) func(net.Conn, string) bool {
	return func(c net.Conn, _ string) bool {
		_, err := io.WriteString(c, text)
		return err == nil
	}
}

// created is a whole response with status 201.
func created() string { return ok201("", wholeResponse) }

// ok201 is a response with a Content-Length and further header lines.
func ok201(header, body string) string {
	return "HTTP/1.1 201 Created\r\n" + header + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

func (v *fakeUpstream) accept() {
	for {
		c, err := v.ln.Accept()
		if err != nil {
			return
		}
		if v.tls != nil {
			c = tls.Server(c, v.tls)
		}
		v.mu.Lock()
		if v.closed {
			_ = c.Close()
		}
		v.conns = append(v.conns, c)
		v.mu.Unlock()
		v.wg.Go(func() { v.serve(c) })
	}
}

func (v *fakeUpstream) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	for br := bufio.NewReader(c); ; {
		request, err := rawRequest(br)
		if request != "" {
			v.mu.Lock()
			v.requests = append(v.requests, request)
			v.mu.Unlock()
		}
		if err != nil || !v.respond(c, request) {
			return
		}
	}
}

// rawRequest reads one request as it was sent.
func rawRequest(br *bufio.Reader) (string, error) {
	var b strings.Builder
	length, chunked := 0, false
	for {
		line, err := br.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			return b.String(), err
		}
		if line == "\r\n" {
			break
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "Content-Length":
			for _, digit := range value {
				length = length*10 + int(digit-'0')
			}
		case "Transfer-Encoding":
			chunked = true
		}
	}
	for chunked {
		line, err := br.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			return b.String(), err
		}
		if line == "0\r\n" {
			chunked, length = false, 2
		}
	}
	_, err := io.CopyN(&b, br, int64(length))
	return b.String(), err
}

func (v *fakeUpstream) close() {
	_ = v.ln.Close()
	v.mu.Lock()
	v.closed = true
	for _, c := range v.conns {
		_ = c.Close()
	}
	v.mu.Unlock()
	v.wg.Wait()
}

func (v *fakeUpstream) url() string {
	if v.tls != nil {
		return "https://" + v.ln.Addr().String()
	}
	return "http://" + v.ln.Addr().String()
}

// seen returns the requests that were read, and how many connections there
// were.
func (v *fakeUpstream) seen() (requests []string, conns int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.requests...), len(v.conns)
}

// untilClosed waits until the other end has closed.
func untilClosed(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// serverTLS returns a server's configuration, for 127.0.0.1 and example.com,
// and the roots that make it valid.
func serverTLS(t *testing.T, protos ...string) (*tls.Config, *x509.CertPool) {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return &tls.Config{Certificates: srv.TLS.Certificates, NextProtos: protos}, roots
}

func testConfig(url string) Config {
	return Config{
		Settings:       Settings{URL: url, Timeout: 30 * time.Second, IdleTimeout: time.Minute, MaxInFlight: 1000, MaxQueue: 10000, MaxQueueBytes: 64 << 20},
		ResponseLimits: ResponseLimits{MaxResponse: 1 << 20, MaxResponseHeader: 64 << 10},
		MaxRequest:     8 << 20, UserAgent: "digate/test",
		Credential: func(context.Context) (Credential, error) {
			return Credential{Token: secret.New(token), Account: token}, nil
		},
	}
}

func newClient(t *testing.T, url string, change ...func(*Config)) *Client {
	t.Helper()
	cfg := testConfig(url)
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg, loaded(t, contract.Integration()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func trusting(roots *x509.CertPool) func(*Config) {
	return func(c *Config) { c.Material = &certs.Material{Authorities: roots} }
}

// result is what a call came to.
type result struct {
	resp integrationv1.CopyTemplateResponse
	ex   *exchange.Exchange
	err  *apierror.Error
}

func copyWith(ctx context.Context, c *Client, req *integrationv1.CopyTemplateRequest) *result {
	r := new(result)
	ctx, r.ex = exchange.NewContext(ctx)
	if err := c.Call(ctx, Call{Method: copyTemplate, Request: req, Response: &r.resp}); err != nil && !errors.As(err, &r.err) {
		panic("not an apierror.Error: " + err.Error())
	}
	return r
}

func copyOne(ctx context.Context, c *Client) *result {
	return copyWith(ctx, c, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
}

// reason is the failure's reason, empty for a success.
func (r *result) reason() string {
	if r.err == nil {
		return ""
	}
	return r.err.Reason
}

// want compares what may be concluded: the reason, the outcome, the status that
// was seen, the number of attempts, and the cause as logged.
func (r *result) want(t *testing.T, reason string, outcome exchange.Outcome, status, attempts int, cause string) {
	t.Helper()
	ex := r.ex
	if r.reason() != reason || ex.Outcome != outcome || ex.Status != status || len(ex.Attempts) != attempts || ex.Cause != cause {
		t.Errorf("got %q %v, HTTP %d, %d attempts, cause %q; want %q %v, HTTP %d, %d attempts, cause %q",
			r.reason(), ex.Outcome, ex.Status, len(ex.Attempts), ex.Cause, reason, outcome, status, attempts, cause)
	}
	if r.err != nil && (r.err.Outcome != outcome || r.resp.Integration != nil) {
		t.Errorf("the error's outcome is %v, the response %v", r.err.Outcome, &r.resp)
	}
	if (ex.Duration() > 0) != (attempts > 0) {
		t.Errorf("took %v in %d attempts", ex.Duration(), attempts)
	}
}

// received returns the requests that were read.
func (v *fakeUpstream) received() []string {
	requests, _ := v.seen()
	return requests
}

func reset(c net.Conn) {
	if tc, ok := c.(*tls.Conn); ok {
		c = tc.NetConn()
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// oneConnection returns the address of a listener that hands its only connection
// to the step.
func oneConnection(t *testing.T, step func(net.Conn)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		c, err := ln.Accept()
		_ = ln.Close() // the next dial is refused
		if err == nil {
			step(c)
			_ = c.Close()
		}
	})
	t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
	return ln.Addr().String()
}
