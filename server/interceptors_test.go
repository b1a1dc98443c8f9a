package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn/passthrough"
	"github.com/digate/digate/server/callers"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/streams"
	"github.com/digate/digate/server/telemetry"
)

// withServices returns a server whose service is this one, and a connection to its
// gRPC side.
func withServices(t *testing.T, log *slog.Logger, service integrationv1.IntegrationServiceServer, change ...func(*config.Config)) (*Server, *grpc.ClientConn) {
	t.Helper()
	methods, err := contract.Load(contract.Integration(), contract.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		cfg: config.Defaults(), log: log, telemetry: telemetry.New(log, methods.Names(), time.Minute), contract: methods,
		authenticator: passthrough.New(func(string) string { return "somebody" }),
	}
	s.cfg.GRPCAddr = "127.0.0.1:0"
	for _, f := range change {
		f(&s.cfg)
	}
	s.callers = callers.New()
	s.streams = streams.New(s.cfg.MaxWaitingStreams, s.callers)
	s.intake, s.arrivals = s.newIntake(), s.newArrivals()
	s.beforeDrain, s.beginDrain = context.WithCancel(t.Context())
	s.makeListeners(nil)
	if err := s.grpc.bind(t.Context()); err != nil {
		t.Fatal(err)
	}
	srv := s.newGRPC(service, digatev1.UnimplementedLedgerServiceServer{})
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(s.grpc.ln) }()
	conn, err := grpc.NewClient(s.GRPCAddr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(); srv.Stop(); <-ended })
	return s, conn
}

// odd is a service that fails in ways in which a service should not.
type odd struct {
	integrationv1.UnimplementedIntegrationServiceServer
}

var large = strings.Repeat("d", 100<<10)

// CopyTemplate panics once something was sent.
func (odd) CopyTemplate(ctx context.Context, _ *integrationv1.CopyTemplateRequest) (*integrationv1.CopyTemplateResponse, error) {
	ex := exchange.FromContext(ctx)
	ex.Attempts = append(ex.Attempts, exchange.Attempt{})
	panic("odd")
}

// GetTemplate returns more than its caller can take.
func (odd) GetTemplate(context.Context, *integrationv1.GetTemplateRequest) (*integrationv1.GetTemplateResponse, error) {
	return &integrationv1.GetTemplateResponse{Template: &integrationv1.IntegrationTemplate{Description: &large}}, nil
}

// CreateIntegration returns more than its caller can take, of something that was done.
func (odd) CreateIntegration(context.Context, *integrationv1.CreateIntegrationRequest) (*integrationv1.CreateIntegrationResponse, error) {
	return &integrationv1.CreateIntegrationResponse{Integration: &integrationv1.Integration{Id: "i", Description: &large}}, nil
}

// DeleteIntegration fails at great length.
func (odd) DeleteIntegration(context.Context, *integrationv1.DeleteIntegrationRequest) (*integrationv1.DeleteIntegrationResponse, error) {
	return nil, &apierror.Error{Code: codes.Internal, Reason: "LONG", Domain: apierror.DomainDigate, Outcome: exchange.Unknown, Message: large}
}

// BulkCopyTemplate panics.
func (odd) BulkCopyTemplate(stream grpc.BidiStreamingServer[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse]) error {
	panic("odd")
}

// What a call meets on its way, each in a call of its own: the step that refuses it or
// that has to do with its end must be at the right side of the others.
func TestInterceptors_WhateverEndsACall_HasAVerdictATrailerALineAndAMetric(t *testing.T) {
	var log lockedBuffer
	s, conn := withServices(t, slog.New(slog.NewJSONHandler(&log, nil)), odd{}, func(c *config.Config) {
		c.MaxGRPCResponseBytes, c.MaxWaitingStreams = 64<<10, 8 // of which a stranger has 1, and a stream takes 4
	})
	withToken := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer t")
	var trailer metadata.MD
	unary := func(ctx context.Context, method string, o ...grpc.CallOption) error {
		return conn.Invoke(ctx, method, new(integrationv1.CopyTemplateRequest), new(integrationv1.CopyTemplateResponse), append(o, grpc.Trailer(&trailer))...)
	}
	stream := func(ctx context.Context) error {
		c, err := integrationv1.NewIntegrationServiceClient(conn).BulkCopyTemplate(ctx)
		if err != nil {
			return err
		}
		_, err = c.Recv()
		trailer = c.Trailer()
		return err
	}
	for _, c := range []struct {
		name    string
		call    func() error
		method  string
		code    codes.Code
		reason  string
		outcome exchange.Outcome
		trailer []string // of another try, and the names of all fields left out
		line    string   // more of the line
	}{
		{
			name: "a stranger's message is not decoded", method: integrationv1.IntegrationService_CopyTemplate_FullMethodName,
			call: func() error {
				return unary(t.Context(), integrationv1.IntegrationService_CopyTemplate_FullMethodName, grpc.ForceCodec(garbage{}))
			},
			code: codes.Unauthenticated, reason: apierror.ReasonMissingCredential, outcome: exchange.NotSent,
		},
		{
			name: "a message that is none", method: integrationv1.IntegrationService_CopyTemplate_FullMethodName,
			call: func() error {
				return unary(withToken, integrationv1.IntegrationService_CopyTemplate_FullMethodName, grpc.ForceCodec(garbage{}))
			},
			code: codes.InvalidArgument, reason: apierror.ReasonInvalidRequest, outcome: exchange.NotSent,
		},
		{
			name: "a method that the service lacks", method: integrationv1.IntegrationService_GetTool_FullMethodName,
			call: func() error { return unary(withToken, integrationv1.IntegrationService_GetTool_FullMethodName) },
			code: codes.Unimplemented, reason: apierror.ReasonUnknownMethod, outcome: exchange.NotSent,
		},
		{
			name: "a panic once something was sent", method: integrationv1.IntegrationService_CopyTemplate_FullMethodName,
			call: func() error { return unary(withToken, integrationv1.IntegrationService_CopyTemplate_FullMethodName) },
			code: codes.Internal, reason: apierror.ReasonInternalError, outcome: exchange.Unknown, trailer: []string{"-1"},
		},
		{
			name: "a failure at great length", method: integrationv1.IntegrationService_DeleteIntegration_FullMethodName,
			call: func() error {
				return unary(withToken, integrationv1.IntegrationService_DeleteIntegration_FullMethodName)
			},
			code: codes.Internal, reason: "LONG", outcome: exchange.Unknown, trailer: []string{"-1"},
		},
		{
			name: "a read of too much", method: integrationv1.IntegrationService_GetTemplate_FullMethodName,
			call: func() error { return unary(withToken, integrationv1.IntegrationService_GetTemplate_FullMethodName) },
			code: codes.ResourceExhausted, reason: apierror.ReasonResponseTooLarge, outcome: exchange.Done, trailer: []string{"-1"},
		},
		{
			name: "a stranger's stream", method: integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName,
			call: func() error { return stream(withToken) },
			code: codes.Unavailable, reason: apierror.ReasonTooManyStreams, outcome: exchange.NotSent, trailer: []string{"1000"},
		},
		{
			name: "a write of too much", method: integrationv1.IntegrationService_CreateIntegration_FullMethodName,
			call: func() error {
				return unary(withToken, integrationv1.IntegrationService_CreateIntegration_FullMethodName)
			},
			code: codes.OK, outcome: exchange.Done, trailer: []string{"integration.description"}, line: `"omitted":"integration.description"`,
		},
		{
			name: "a known caller's stream, in a panic", method: integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName,
			call: func() error { return stream(withToken) },
			code: codes.Internal, reason: apierror.ReasonInternalError, outcome: exchange.NotSent,
		},
	} {
		log.reset()
		trailer = nil
		err := c.call()
		e := apierror.FromError(err)
		if err == nil {
			e = &apierror.Error{Outcome: exchange.Done}
		} else if len(status.Convert(err).Details()) == 0 {
			t.Errorf("%s: no verdict: %v", c.name, err)
			continue
		}
		if e.Code != c.code || e.Reason != c.reason || e.Outcome != c.outcome || len(e.Message) > s.cfg.MaxErrorBytes {
			t.Errorf("%s: %v", c.name, e)
		}
		if got := slices.Concat(trailer.Get(pushbackKey), trailer.Get(contract.OmittedKey)); !slices.Equal(got, c.trailer) {
			t.Errorf("%s: the trailer says %q, want %q", c.name, got, c.trailer)
		}
		method, name := strings.TrimPrefix(c.method, "/"), code.Code(c.code).String()
		line := fmt.Sprintf(`"method":%q,"code":%q,"outcome":%q`, method, name, c.outcome)
		if got := log.String(); strings.Count(got, line) != 1 || !strings.Contains(got, c.reason) || !strings.Contains(got, c.line) {
			t.Errorf("%s: the log is %s", c.name, got)
		}
		w := httptest.NewRecorder()
		s.telemetry.MetricsHandler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		if want := fmt.Sprintf("digate_calls_total{code=%q,method=%q,outcome=%q,protocol=\"grpc\"} 1\n", name, method, c.outcome); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: the metrics lack %s", c.name, want)
		}
	}
}

// garbage is a codec of messages that are no protobuf.
type garbage struct{}

func (garbage) Marshal(any) ([]byte, error) { return []byte("{}"), nil }
func (garbage) Unmarshal([]byte, any) error { return nil }
func (garbage) Name() string                { return "proto" }

// lockedBuffer is a text that many goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

// The REST side passes the same steps, but for those of gRPC alone.
func TestInterceptors_REST_PassesTheSame(t *testing.T) {
	var log lockedBuffer
	s, _ := withServices(t, slog.New(slog.NewJSONHandler(&log, nil)), odd{})
	contracts, err := gateway.New(s.gatewayConfig(s.newChannel(odd{})))
	if err != nil {
		t.Fatal(err)
	}
	routes, err := s.newRoutes(contracts, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	const path = "/v1/integration/template/3c90c3cc-0d44-4b50-8888-8dd25736052a"
	for _, c := range []struct {
		name, verb, path, body, authorization string
		status                                int
		outcome, reason                       string
	}{
		{"a stranger's body is not decoded", "POST", path + "/copy", "{", "", 401, "NOT_SENT", apierror.ReasonMissingCredential},
		{"a body that is none", "POST", path + "/copy", "{", "Bearer t", 422, "NOT_SENT", apierror.ReasonInvalidRequest},
		{"a panic once something was sent", "POST", path + "/copy", "{}", "Bearer t", 500, "UNKNOWN", apierror.ReasonInternalError},
		{"a method that the service lacks", "GET", "/v1/integration", "", "Bearer t", 501, "NOT_SENT", apierror.ReasonUnknownMethod},
		{"a read of what is too much for gRPC", "GET", path, "", "Bearer t", 200, "DONE", ""},
	} {
		log.reset()
		r := httptest.NewRequestWithContext(t.Context(), c.verb, c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", c.authorization)
		w := httptest.NewRecorder()
		s.newREST(routes).Handler.ServeHTTP(w, r)
		outcome := w.Header().Get(apierror.OutcomeHeader)
		if w.Code != c.status || outcome != c.outcome && c.status != 200 {
			t.Errorf("%s: %d %s %.200s", c.name, w.Code, outcome, w.Body)
		}
		if line := fmt.Sprintf(`"outcome":%q`, c.outcome); strings.Count(log.String(), line) != 1 || !strings.Contains(log.String(), c.reason) {
			t.Errorf("%s: the log is %s", c.name, log.String())
		}
	}
}

// Behind a way in where somebody forgot to authenticate, nothing is done.
func TestInterceptors_CallWithoutAPrincipal_HasAVerdictAndALine(t *testing.T) {
	var log lockedBuffer
	s, _ := withServices(t, slog.New(slog.NewJSONHandler(&log, nil)), odd{})
	_, _, err := s.newChannel(odd{}).Call(t.Context(), integrationv1.IntegrationService_GetTemplate_FullMethodName,
		func(any) error { return nil })
	if e := apierror.FromError(err); e == nil || e.Reason != apierror.ReasonMissingCredential || e.Outcome != exchange.NotSent {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(log.String(), apierror.ReasonMissingCredential) {
		t.Errorf("the log is %s", log.String())
	}
}
