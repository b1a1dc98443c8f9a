package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/test/await"
)

// marker is part of every secret that the suite uses. The logs, metrics, dumps and
// errors of the servers under test are collected in output. TestMain looks for
// the marker there when all tests are done.
const marker = "s3cr3t"

const (
	token  = "tok-" + marker + "-0001"
	apiKey = "key-" + marker + "-0002"
	varSec = "var-" + marker + "-0003"
)

var output record

// record collects text. It may be used by many goroutines.
type record struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	awaited []awaited
}

// awaited is a text that a test waits for.
type awaited struct {
	text    string
	left    int // how often it is still to be written
	reached chan struct{}
}

// Write adds a piece of text, which is a whole line of a log.
func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.awaited {
		a := &r.awaited[i]
		if n := bytes.Count(p, []byte(a.text)); a.left > 0 && n > 0 {
			if a.left -= n; a.left <= 0 {
				close(a.reached)
			}
		}
	}
	return r.buf.Write(p)
}

// await returns when the text has been written n times. The text may not go
// beyond a line.
func (r *record) await(t *testing.T, n int, text string) {
	t.Helper()
	await.Value(t, r.written(n, text), text+" in the log")
}

// written returns a channel that is closed when the text has been written n times.
func (r *record) written(n int, text string) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := awaited{text, n - bytes.Count(r.buf.Bytes(), []byte(text)), make(chan struct{})}
	if a.left <= 0 {
		close(a.reached)
	} else {
		r.awaited = append(r.awaited, a)
	}
	return a.reached
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

func TestMain(m *testing.M) {
	code := m.Run()
	suiteTLS.remove()
	if err := noSecretIn(output.String()); code == 0 && err != nil {
		fmt.Println("FAIL:", err)
		code = 1
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Println("FAIL:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// noSecretIn returns an error that quotes the first line with a secret in it.
func noSecretIn(text string) error {
	for line := range strings.SplitSeq(text, "\n") {
		if strings.Contains(line, marker) {
			return fmt.Errorf("a secret of the suite is in: %s", line)
		}
	}
	return nil
}

// digate is a running server.
type digate struct {
	*server.Server
	log  *record
	rpc  integrationv1.IntegrationServiceClient
	conn *grpc.ClientConn
	rest string
	// adminURL is that of the admin listener.
	adminURL string
	http     *http.Client
	stop     context.CancelFunc
	ended    chan struct{}
	result   error
}

// settings returns the defaults, on free ports of loopback.
func settings(t testing.TB, url string) config.Config {
	t.Helper()
	cfg := config.Defaults()
	cfg.GRPCAddr, cfg.HTTPAddr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Upstream.URL = url
	cfg.ShutdownTimeout = 10 * time.Second
	if overTLS(t) {
		cfg.TLS.CertFile, cfg.TLS.KeyFile = suiteTLS.files()
	}
	// Every call is one request, whatever happened before. The tests of retries and
	// of the circuit breaker switch them on again (asShipped).
	cfg.Upstream.MaxAttempts, cfg.Upstream.BreakerDelay = 1, 0
	return cfg
}

// logger returns a logger that writes every level to the record and to output.
func logger(to *record) *slog.Logger {
	return slog.New(slog.NewJSONHandler(io.MultiWriter(to, &output), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// newServer returns a server that logs to the record.
func newServer(ctx context.Context, cfg config.Config, log *record, public ...gateway.PublicRoute) (*server.Server, error) {
	return newServerWith(ctx, cfg, log, server.Options{Public: public})
}

// newServerWith is newServer with more options.
func newServerWith(ctx context.Context, cfg config.Config, log *record, o server.Options) (*server.Server, error) {
	o.Version, o.Log, o.LogLevel = "test", logger(log), new(slog.LevelVar)
	return server.New(ctx, cfg, o)
}

// dial returns a connection to a gRPC server. It is closed at the end of the test.
func dial(t *testing.T, addr string, o ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	creds := insecure.NewCredentials()
	if _, ok := tlsListeners.Load(addr); ok {
		creds = credentials.NewTLS(suiteTLS.client())
	}
	conn, err := grpc.NewClient(addr, append(o, grpc.WithTransportCredentials(creds))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// serveGRPC serves an IntegrationService on loopback and returns its address.
func serveGRPC(t *testing.T, service integrationv1.IntegrationServiceServer, o ...grpc.ServerOption) (addr string) {
	t.Helper()
	ln := listen(t)
	srv := grpc.NewServer(o...)
	integrationv1.RegisterIntegrationServiceServer(srv, service)
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	t.Cleanup(func() { srv.Stop(); <-ended })
	return ln.Addr().String()
}

// listen opens a listener on loopback.
func listen(t testing.TB) net.Listener {
	t.Helper()
	var config net.ListenConfig
	ln, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// connect opens a TCP connection. It is closed at the end of the test.
// To a listener that speaks TLS, it is a connection over TLS.
func connect(t testing.TB, addr net.Addr) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return secured(c)
}

// start runs a server in front of the upstream at url. At the end of the test the
// server is stopped, and Run must have returned no error, unless the test has
// looked at the error itself (wait).
func start(t *testing.T, url string, change ...func(*config.Config)) *digate {
	t.Helper()
	cfg := settings(t, url)
	for _, f := range change {
		f(&cfg)
	}
	return serve(t, cfg)
}

// serve is start with settings and public routes.
func serve(t *testing.T, cfg config.Config, public ...gateway.PublicRoute) *digate {
	t.Helper()
	return serveWith(t, cfg, server.Options{Public: public})
}

// serveWith is start with settings and options.
func serveWith(t *testing.T, cfg config.Config, o server.Options) *digate {
	t.Helper()
	d := &digate{log: new(record), ended: make(chan struct{})}
	logger(d.log).Info("configuration", "config", cfg)
	fmt.Fprintf(&output, "%v %+v %#v\n", cfg, cfg, cfg)
	var err error
	if d.Server, err = newServerWith(t.Context(), cfg, d.log, o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	go func() {
		defer close(d.ended)
		d.result = d.Run(ctx)
	}()
	for _, addr := range []net.Addr{d.GRPCAddr(), d.HTTPAddr(), d.AdminAddr()} {
		tlsListeners.Delete(addr.String()) // an earlier server may have had the port
	}
	if cfg.TLS.Enabled() {
		tlsListeners.Store(d.GRPCAddr().String(), http2.NextProtoTLS)
		tlsListeners.Store(d.HTTPAddr().String(), "http/1.1")
	}
	d.conn = dial(t, d.GRPCAddr().String())
	d.rpc = integrationv1.NewIntegrationServiceClient(d.conn)
	d.rest = "http://" + d.HTTPAddr().String()
	d.adminURL = "http://" + d.AdminAddr().String()
	if cfg.TLS.Admin {
		d.adminURL = "https://" + d.AdminAddr().String()
	}
	if cfg.TLS.Enabled() {
		d.rest = "https://" + d.HTTPAddr().String()
	}
	d.http = &http.Client{
		Transport:     &http.Transport{DisableCompression: true, TLSClientConfig: suiteTLS.client()},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		select {
		case <-d.ended:
		default:
			d.scrape(t)
		}
		d.http.CloseIdleConnections()
		cancel()
		if err := d.wait(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return d
}

// wait waits for the end of Run and returns its error, the first time.
func (d *digate) wait() error {
	<-d.ended
	err := d.result
	d.result = nil
	return err
}

// admin gets a page of the admin listener.
func (d *digate) admin(t *testing.T, path string) response {
	t.Helper()
	return send(t, d.http, http.MethodGet, d.adminURL, path, "")
}

// scrape returns the metrics, and adds them to output.
func (d *digate) scrape(t *testing.T) string {
	t.Helper()
	metrics := d.admin(t, "/metrics").body
	_, _ = io.WriteString(&output, metrics)
	return metrics
}

func withToken(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// copyRPC calls CopyTemplate over gRPC and adds its error to output.
func (d *digate) copyRPC(t *testing.T, req *integrationv1.CopyTemplateRequest) (*integrationv1.Integration, *apierror.Error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(withToken(t.Context(), token), await.Patience)
	defer cancel()
	return d.copyCtx(ctx, req)
}

// copyCtx is copyRPC with the context of the caller.
func (d *digate) copyCtx(ctx context.Context, req *integrationv1.CopyTemplateRequest) (*integrationv1.Integration, *apierror.Error) {
	resp, err := d.rpc.CopyTemplate(ctx, req)
	if err != nil {
		fmt.Fprintf(&output, "%v %v\n", err, status.Convert(err).Proto())
		return nil, apierror.FromError(err)
	}
	return resp.GetIntegration(), nil
}

// response is a REST response, read to its end.
type response struct {
	status int
	header http.Header
	body   string
}

// copyREST posts a body to the copy route and returns the response.
func (d *digate) copyREST(t *testing.T, templateID, body string, header ...string) response {
	t.Helper()
	return d.do(t, "POST", "/v1/integration/template/"+templateID+"/copy", body, header...)
}

// do sends a REST request to the server, as send does.
func (d *digate) do(t *testing.T, method, path, body string, header ...string) response {
	t.Helper()
	return send(t, d.http, method, d.rest, path, body, header...)
}

// send sends a request with the suite's token. The path is sent exactly as it is
// given. The header is pairs of names and values; a header with an empty value is
// left out.
func send(t *testing.T, client *http.Client, method, url, path, body string, header ...string) response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), await.Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = "//" + r.URL.Host + path
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

// read reads a response to its end, and adds its header to output.
func read(t *testing.T, resp *http.Response) response {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&output, "%v\n", resp.Header)
	return response{resp.StatusCode, resp.Header, string(b)}
}
