package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

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
		options, _ := m.Options().(*descriptorpb.MethodOptions)
		reads := rule.GetGet() != "" || options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
		switch {
		case !named:
			t.Errorf("docs/service-config.json does not name %s; it belongs to the methods that clients repeat: %t", m.Name(), reads)
		case got != reads:
			t.Errorf("docs/service-config.json says of %s that clients repeat it: %t, want %t", m.Name(), got, reads)
		}
		delete(retried, string(m.Name()))
	}
	for name := range retried {
		t.Errorf("docs/service-config.json names %s, which is no method of the contract", name)
	}
}

// A client repeats a call only if the failure came without a header, and waits as the
// trailer says. Both are the server's to keep, so the server itself is asked.
func TestServiceConfig_GRPCGo_RepeatsReadsOfTheServerAndNoWrites(t *testing.T) {
	const template = `{"id":"` + templateID + `","name":"n","description":"d"}`
	busy := func(retryAfter string) script {
		return respond(503, map[string]string{"Retry-After": retryAfter}, envelope)
	}
	for name, row := range map[string]struct {
		script       func() script
		read         codes.Code
		reads, write int
		waits        time.Duration
	}{
		"busy twice":        {func() script { return inTurn(busy("0"), busy("0"), respond(200, nil, template)) }, codes.OK, 3, 1, 0},
		"busy always":       {func() script { return busy("0") }, codes.Unavailable, 3, 1, 0},
		"a wait in between": {func() script { return inTurn(busy("1"), respond(200, nil, template)) }, codes.OK, 2, 1, time.Second},
		"a refusal":         {func() script { return respond(404, nil, envelope) }, codes.NotFound, 1, 1, 0},
		"a response that is cut": {func() script {
			return inTurn(raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", false), respond(200, nil, template))
		}, codes.OK, 2, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := newScripted(t)
			d := start(t, up.url())
			client := integrationv1.NewIntegrationServiceClient(dial(t, d.GRPCAddr().String(), grpc.WithDefaultServiceConfig(serviceConfig(t))))
			ctx := withToken(t.Context(), token)
			up.will(row.script())
			began := time.Now()
			if _, err := client.GetTemplate(ctx, &integrationv1.GetTemplateRequest{TemplateId: templateID}); status.Code(err) != row.read {
				t.Errorf("the read: %v", err)
			}
			if took := time.Since(began); took < row.waits {
				t.Errorf("the client waited %v, the server asked for %v", took, row.waits)
			}
			if n := len(up.received()); n != row.reads {
				t.Errorf("the read was sent %d times, want %d", n, row.reads)
			}
			up.will(row.script())
			if _, err := client.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err == nil {
				t.Error("the write succeeded")
			}
			if n := len(up.received()); n != row.write {
				t.Errorf("the write was sent %d times", n)
			}
		})
	}
}

// A failure before the first message has no header, on a stream too.
func TestFailure_ComesWithoutHeader_WithItsIDInTheTrailer(t *testing.T) {
	up := newScripted(t)
	up.will(respond(404, nil, envelope))
	d := start(t, up.url())
	ctx := metadata.AppendToOutgoingContext(withToken(t.Context(), token), "x-request-id", "mine")
	var header, trailer metadata.MD
	_, err := d.rpc.GetTemplate(ctx, &integrationv1.GetTemplateRequest{TemplateId: templateID}, grpc.Header(&header), grpc.Trailer(&trailer))
	if err == nil || len(header) != 0 || fmt.Sprint(trailer.Get("x-request-id")) != "[mine]" {
		t.Errorf("%v: header %v, trailer %v", err, header, trailer)
	}
	up.will(respond(200, nil, `{"id":"`+templateID+`","name":"n","description":"d"}`))
	header, trailer = nil, nil
	_, err = d.rpc.GetTemplate(ctx, &integrationv1.GetTemplateRequest{TemplateId: templateID}, grpc.Header(&header), grpc.Trailer(&trailer))
	if err != nil || len(trailer.Get("x-request-id")) != 0 || fmt.Sprint(header.Get("x-request-id")) != "[mine]" {
		t.Errorf("%v: header %v, trailer %v", err, header, trailer)
	}
	stream, err := d.rpc.BulkCopyTemplate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(new(integrationv1.BulkCopyTemplateRequest)); err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	if header, _ := stream.Header(); err == nil && fmt.Sprint(header.Get("x-request-id")) != "[mine]" || err != nil && len(header) != 0 {
		t.Errorf("%v: header %v, trailer %v", err, header, stream.Trailer())
	}
}
