package upstream

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/secret"
	"github.com/digate/digate/server/upstream/wire"
	"github.com/digate/digate/test/rig"
)

func benchRequest(b testing.TB) *integrationv1.CopyTemplateRequest {
	b.Helper()
	variables, err := structpb.NewStruct(map[string]any{"region": "eu", "retries": 3})
	if err != nil {
		b.Fatal(err)
	}
	return &integrationv1.CopyTemplateRequest{
		TemplateId: "3c90c3cc-0d44-4b50-8888-8dd25736052a", Name: new("CRM"), ApiKey: new("k-123456"),
		BaseUrl: new("https://crm.example.com/api"), Variables: variables,
	}
}

// BenchmarkCall is a whole call; BenchmarkRoundTrip is what net/http takes for
// the same exchange, and the difference is ours.
func BenchmarkCall(b *testing.B) {
	methods, err := contract.Load(contract.Integration())
	if err != nil {
		b.Fatal(err)
	}
	c, err := New(Config{
		Settings: Settings{
			MaxInFlight: 1000, MaxQueue: 10000, MaxQueueBytes: 64 << 20, BreakerDelay: time.Second, RetryBudget: 0.1, MaxAttempts: 3,
			URL: rig.ServeQuick(b), Timeout: time.Minute, IdleTimeout: time.Minute,
		},
		ResponseLimits: ResponseLimits{MaxResponse: 1 << 20}, MaxRequest: 1 << 20,
		UserAgent: "digate/bench",
		Credential: func(context.Context) (Credential, error) {
			return Credential{Token: secret.New("token-0123456789"), Account: "token-0123456789"}, nil
		},
	}, methods)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	req := benchRequest(b)
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		ctx, _ := exchange.NewContext(ctx)
		var resp integrationv1.CopyTemplateResponse
		if err := c.Call(ctx, Call{Method: copyTemplate, Request: req, Response: &resp}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	tr := wire.NewTransport(wire.Config{IdleTimeout: time.Minute}, new(wire.Connections))
	b.Cleanup(tr.CloseIdleConnections)
	u, err := url.Parse(rig.ServeQuick(b) + "/v1/integration/template/3c90c3cc-0d44-4b50-8888-8dd25736052a/copy")
	if err != nil {
		b.Fatal(err)
	}
	header := http.Header{
		"Accept": {mediaJSON}, "Accept-Encoding": {"identity"}, "User-Agent": {"digate/bench"},
		"Authorization": {"Bearer token-0123456789"}, "Content-Type": {mediaJSON},
	}
	body := []byte(`{"name":"CRM","api_key":"k-123456","base_url":"https://crm.example.com/api","variables":{"region":"eu","retries":3}}`)
	response := make([]byte, 4<<10)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := tr.RoundTrip(&http.Request{
			Method: http.MethodPost, URL: u, Host: u.Host, Header: header,
			Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(resp.Body, response[:resp.ContentLength]); err != nil {
			b.Fatal(err)
		}
		_ = resp.Body.Close()
	}
}
