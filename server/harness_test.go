package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
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
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

func TestMain(m *testing.M) {
	code := m.Run()
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
	log    *record
	rpc    integrationv1.IntegrationServiceClient
	conn   *grpc.ClientConn
	rest   string
	http   *http.Client
	stop   context.CancelFunc
	ended  chan struct{}
	result error
}

// settings returns the defaults, on free ports of loopback.
func settings(t *testing.T, url string) config.Config {
	t.Helper()
	cfg, err := config.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	cfg.GRPCAddr, cfg.HTTPAddr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.UpstreamURL = url
	cfg.ShutdownTimeout = 10 * time.Second
	// Every call is one request, whatever happened before. The tests of retries and
	// of the circuit breaker switch them on again (asShipped).
	cfg.UpstreamMaxAttempts, cfg.UpstreamBreakerDelay = 1, 0
	return cfg
}

// logger returns a logger that writes every level to the record and to output.
func logger(to *record) *slog.Logger {
	return slog.New(slog.NewJSONHandler(io.MultiWriter(to, &output), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// dial returns a connection to the server. It is closed at the end of the test.
func dial(t *testing.T, s *server.Server) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(s.GRPCAddr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// start runs a server in front of the upstream at url.
func start(t *testing.T, url string, change ...func(*config.Config)) *digate {
	t.Helper()
	cfg := settings(t, url)
	for _, f := range change {
		f(&cfg)
	}
	d := &digate{log: new(record), ended: make(chan struct{})}
	log := logger(d.log)
	log.Info("configuration", "config", cfg)
	fmt.Fprintf(&output, "%v %+v %#v\n", cfg, cfg, cfg)
	var err error
	if d.Server, err = server.New(context.Background(), cfg, server.Options{Version: "test", Log: log}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	go func() {
		defer close(d.ended)
		d.result = d.Run(ctx)
	}()
	d.conn = dial(t, d.Server)
	d.rpc = integrationv1.NewIntegrationServiceClient(d.conn)
	d.rest = "http://" + d.HTTPAddr().String()
	d.http = &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		d.scrape(t)
		d.http.CloseIdleConnections()
		cancel()
		<-d.ended
		if d.result != nil {
			t.Errorf("Run: %v", d.result)
		}
	})
	return d
}

// scrape returns the metrics, and adds them to output.
func (d *digate) scrape(t *testing.T) string {
	t.Helper()
	resp, err := d.http.Get("http://" + d.AdminAddr().String() + "/metrics")
	if err != nil {
		return "" // stopped by the test itself
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	_, _ = output.Write(b)
	return string(b)
}

func withToken(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// copyRPC calls CopyTemplate over gRPC and adds its error to output.
func (d *digate) copyRPC(t *testing.T, req *integrationv1.CopyTemplateRequest) (*integrationv1.Integration, *apierror.Error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(withToken(t.Context(), token), 20*time.Second)
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

// do sends a REST request. The path is sent exactly as it is given. The header is
// pairs of names and values; a header with an empty value is left out.
func (d *digate) do(t *testing.T, method, path, body string, header ...string) response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, d.rest, strings.NewReader(body))
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
	resp, err := d.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&output, "%v\n", resp.Header)
	return response{resp.StatusCode, resp.Header, string(b)}
}
