package server_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/contract"
)

// serviceConfig is the published configuration of clients (gRFC A2, A6).
func serviceConfig(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../docs/service-config.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The file cannot see whether a call has a request_id, so it must not let a client
// repeat a write.
func TestServiceConfig_NamesEveryMethodAndRepeatsReadsAlone(t *testing.T) {
	var cfg struct {
		MethodConfig []struct {
			Name []struct{ Service, Method string }
			// A pointer, so that an empty policy is seen too.
			RetryPolicy   *struct{ RetryableStatusCodes []string }
			HedgingPolicy *struct{}
		}
		RetryThrottling *struct{ MaxTokens, TokenRatio float64 }
	}
	d := json.NewDecoder(strings.NewReader(serviceConfig(t)))
	if err := d.Decode(&cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.RetryThrottling == nil || cfg.RetryThrottling.TokenRatio <= 0 {
		t.Error("retries are not throttled")
	}
	retried := make(map[string]bool)
	for _, mc := range cfg.MethodConfig {
		if mc.HedgingPolicy != nil {
			t.Errorf("%v is hedged", mc.Name)
		}
		if p := mc.RetryPolicy; p != nil && (len(p.RetryableStatusCodes) != 1 || p.RetryableStatusCodes[0] != "UNAVAILABLE") {
			t.Errorf("%v is repeated on %v", mc.Name, p.RetryableStatusCodes)
		}
		for _, n := range mc.Name {
			if n.Method == "" || n.Service != integrationv1.IntegrationService_ServiceDesc.ServiceName {
				t.Errorf("%+v is not one method of the contract", n)
			}
			if _, twice := retried[n.Method]; twice {
				t.Errorf("%s is named twice", n.Method)
			}
			retried[n.Method] = mc.RetryPolicy != nil
		}
	}
	methods := contract.Integration().Methods()
	for i := range methods.Len() {
		m := methods.Get(i)
		rule, _ := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
		got, named := retried[string(m.Name())]
		if want := rule.GetGet() != ""; !named || got != want {
			t.Errorf("%s: named %v, repeated %v, want %v", m.Name(), named, got, want)
		}
		delete(retried, string(m.Name()))
	}
	for name := range retried {
		t.Errorf("there is no method %s", name)
	}
}

// flaky is a service whose methods fail with UNAVAILABLE and a trailer the first
// times.
type flaky struct {
	integrationv1.UnimplementedIntegrationServiceServer
	fails   int
	trailer metadata.MD

	mu   sync.Mutex
	seen map[string]int
}

func (f *flaky) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	f.mu.Lock()
	f.seen[info.FullMethod]++
	n := f.seen[info.FullMethod]
	f.mu.Unlock()
	if n > f.fails {
		return handler(ctx, req)
	}
	_ = grpc.SetTrailer(ctx, f.trailer)
	return nil, status.Error(codes.Unavailable, "not now")
}

func (f *flaky) GetTemplate(context.Context, *integrationv1.GetTemplateRequest) (*integrationv1.GetTemplateResponse, error) {
	return new(integrationv1.GetTemplateResponse), nil
}

func (f *flaky) CopyTemplate(context.Context, *integrationv1.CopyTemplateRequest) (*integrationv1.CopyTemplateResponse, error) {
	return new(integrationv1.CopyTemplateResponse), nil
}

// count returns how often a method was called.
func (f *flaky) count(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[method]
}

// configured runs the service and returns a client that has the published
// configuration.
func (f *flaky) configured(t *testing.T) integrationv1.IntegrationServiceClient {
	t.Helper()
	f.seen = make(map[string]int)
	addr := serveGRPC(t, f, grpc.UnaryInterceptor(f.intercept))
	return integrationv1.NewIntegrationServiceClient(dial(t, addr, grpc.WithDefaultServiceConfig(serviceConfig(t))))
}

func TestServiceConfig_GRPCGo_RepeatsReadsAndNoWrites(t *testing.T) {
	for name, row := range map[string]struct {
		fails        int
		trailer      metadata.MD
		read         codes.Code
		reads, write int
	}{
		"once":                {1, nil, codes.OK, 2, 1},
		"always":              {99, nil, codes.Unavailable, 3, 1},
		"a wait in between":   {1, metadata.Pairs("grpc-retry-pushback-ms", "5"), codes.OK, 2, 1},
		"asked not to repeat": {1, metadata.Pairs("grpc-retry-pushback-ms", "-1"), codes.Unavailable, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &flaky{fails: row.fails, trailer: row.trailer}
			client := f.configured(t)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if _, err := client.GetTemplate(ctx, new(integrationv1.GetTemplateRequest)); status.Code(err) != row.read {
				t.Errorf("the read: %v", err)
			}
			if n := f.count(integrationv1.IntegrationService_GetTemplate_FullMethodName); n != row.reads {
				t.Errorf("the read was sent %d times, want %d", n, row.reads)
			}
			if _, err := client.CopyTemplate(ctx, new(integrationv1.CopyTemplateRequest)); status.Code(err) != codes.Unavailable {
				t.Errorf("the write: %v", err)
			}
			if n := f.count(integrationv1.IntegrationService_CopyTemplate_FullMethodName); n != row.write {
				t.Errorf("the write was sent %d times", n)
			}
		})
	}
}
