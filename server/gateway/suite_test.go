package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/inproc"
	"github.com/digate/digate/test/await"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type bulkStream = grpc.BidiStreamingServer[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse]

// service is an IntegrationService whose methods a test fills in.
type service struct {
	integrationv1.UnimplementedIntegrationServiceServer
	bulk func(stream bulkStream) error
}

func (s *service) BulkCopyTemplate(stream bulkStream) error { return s.bulk(stream) }

// failures is an observer that keeps the operations that ended, those that failed
// apart.
type failures struct {
	mu   sync.Mutex
	list []failure
	ends []failure
}

type failure struct {
	method string
	ex     *exchange.Exchange
	err    error
}

func (f *failures) Start(ctx context.Context, op exchange.Operation) (context.Context, func(*exchange.Exchange, error)) {
	return ctx, func(ex *exchange.Exchange, err error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ends = append(f.ends, failure{op.Method, ex, err})
		if err != nil {
			f.list = append(f.list, failure{op.Method, ex, err})
		}
	}
}

func (f *failures) all() []failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.list
}

func (f *failures) ended() []failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ends
}

// newHandler returns a gateway in front of s.
func newHandler(t *testing.T, s *service, change ...func(*gateway.Config)) (http.Handler, *failures) {
	t.Helper()
	channel := inproc.New(inproc.Options{})
	if s != nil {
		integrationv1.RegisterIntegrationServiceServer(channel, s)
	}
	methods, err := contract.Load(contract.Integration())
	if err != nil {
		t.Fatal(err)
	}
	failed := new(failures)
	cfg := gateway.Config{
		Contract: methods, Channel: channel, MaxBody: 1 << 20, Settings: gateway.Settings{BulkMaxItems: 100}, Stall: await.Patience, Observer: failed,
	}
	for _, f := range change {
		f(&cfg)
	}
	h, err := gateway.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h, failed
}

// serve runs a handler behind sockets. Every handler has returned when the test
// is over.
func serve(t *testing.T, h http.Handler, change ...func(*http.Server)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	for _, f := range change {
		f(server.Config)
	}
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// post sends a body to the bulk route and returns the response as soon as its
// header is there.
func post(t *testing.T, ctx context.Context, url, body string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, await.Patience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+gateway.BulkPath, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}
