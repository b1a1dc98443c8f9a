package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/exchange"
)

func TestRun_CallsUnderWayAtTheEnd_AreFinished(t *testing.T) {
	up := newScripted(t)
	arrived, release := make(chan bool, 2), make(chan struct{})
	up.will(func(c net.Conn, r sent) bool {
		arrived <- true
		<-release
		return respond(201, nil, full)(c, r)
	})
	d := start(t, up.url())
	health := healthv1.NewHealthClient(d.conn)
	watch, err := health.Watch(t.Context(), &healthv1.HealthCheckRequest{Service: "diga.integration.v1.IntegrationService"})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := watch.Recv(); err != nil || m.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Fatalf("watch: %v, %v", m, err)
	}
	ready := func() int { return d.admin(t, "/readyz").status }
	if got := ready(); got != 200 {
		t.Errorf("readyz = %d", got)
	}
	results := make(chan string, 2)
	go func() {
		in, e := d.copyCtx(withToken(context.WithoutCancel(t.Context()), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID})
		results <- fmt.Sprint("grpc ", in.GetId(), e == nil)
	}()
	go func() {
		rest := d.copyREST(t, templateID, `{}`)
		results <- fmt.Sprint("rest ", rest.status)
	}()
	<-arrived
	<-arrived
	d.stop()
	if m, err := watch.Recv(); err == nil && m.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("watch after the drain began: %v", m)
	}
	// Neither protocol takes another connection while both have a call under way.
	d.awaitRefusal(t, d.HTTPAddr())
	d.awaitRefusal(t, d.GRPCAddr())
	if got := ready(); got != 503 {
		t.Errorf("readyz = %d during the drain", got)
	}
	close(release)
	got := []string{<-results, <-results}
	want := map[string]bool{"grpc " + id + "true": true, "rest 201": true}
	for _, g := range got {
		if !want[strings.ReplaceAll(g, " true", "true")] {
			t.Errorf("a call under way ended as %q", g)
		}
	}
	if err := d.wait(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// awaitRefusal returns once the server takes no more connections at the address.
// The test fails if Run ends before that.
func (d *digate) awaitRefusal(t *testing.T, addr net.Addr) {
	t.Helper()
	for {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr.String())
		if err != nil {
			return
		}
		_ = c.Close()
		select {
		case <-d.ended:
			t.Fatalf("Run ended (%v) before %s was closed", d.result, addr)
		default:
		}
	}
}

// reflect opens a reflection stream and returns it with its first response.
func (d *digate) reflect(t *testing.T) (reflectionv1.ServerReflection_ServerReflectionInfoClient, *reflectionv1.ServerReflectionResponse) {
	t.Helper()
	stream, err := reflectionv1.NewServerReflectionClient(d.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return stream, first
}

// A REST client that never ends its request must not keep the gRPC listener open,
// nor use up the time that gRPC calls have to end.
func TestRun_SlowRESTClient_DoesNotKeepGRPCFromDraining(t *testing.T) {
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url(), func(c *config.Config) { c.ShutdownTimeout, c.OpenReflection = time.Second, true })
	stream, _ := d.reflect(t)
	c := connect(t, d.HTTPAddr())
	_, _ = fmt.Fprintf(c, "POST /v1/integration/template/%s/copy HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n", templateID, token)
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "100") { // so the handler reads the body
		t.Fatalf("%q, %v", line, err)
	}
	d.stop()
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable { // an idle stream does not hold the drain up
		t.Errorf("the reflection stream ended with %v", err)
	}
	// The gRPC listener closes while the REST request is still under way.
	d.awaitRefusal(t, d.GRPCAddr())
	if err := d.wait(); err == nil || !strings.Contains(err.Error(), "cut") {
		t.Errorf("Run: %v", err)
	}
}

func TestRun_IdleReflectionStream_DoesNotHoldTheDrainUp(t *testing.T) {
	d := start(t, "http://127.0.0.1:1", func(c *config.Config) { c.ShutdownTimeout, c.OpenReflection = 3*time.Second, true })
	d.reflect(t)
	d.stop()
	if err := d.wait(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestRun_CallsOutlastTheShutdownTimeout_AreCut(t *testing.T) {
	up := newScripted(t)
	arrived := make(chan bool, 1)
	up.will(func(c net.Conn, r sent) bool { arrived <- true; return hang(c, r) })
	d := start(t, up.url(), func(c *config.Config) { c.ShutdownTimeout = 100 * time.Millisecond })
	failed := make(chan error, 1)
	go func() {
		_, err := d.rpc.CopyTemplate(withToken(context.WithoutCancel(t.Context()), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID})
		failed <- err
	}()
	<-arrived
	d.stop()
	if err := d.wait(); err == nil || !strings.Contains(err.Error(), "cut") {
		t.Errorf("Run: %v", err)
	}
	if e := apierror.FromError(<-failed); e.Code != codes.Unknown || e.Reason != "OUTCOME_UNKNOWN" || e.Outcome != exchange.Unknown {
		t.Errorf("the call that was cut ended as %v", e)
	}
}

func TestRun_ContextThatHasEnded_IsNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // whether a listener was serving yet is the scheduler's choice
		s, err := newServer(t.Context(), settings(t, "http://127.0.0.1:1"), new(record))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(ctx); err != nil {
			t.Fatalf("Run: %v", err)
		}
	}
}

func TestNew_AddressInUse_NamesTheFlagAndLeavesNothingOpen(t *testing.T) {
	ln := listen(t)
	defer func() { _ = ln.Close() }()
	cfg := settings(t, "http://127.0.0.1:1")
	cfg.AdminAddr = ln.Addr().String()
	if _, err := newServer(t.Context(), cfg, new(record)); err == nil || !strings.HasPrefix(err.Error(), "--admin-addr: ") {
		t.Errorf("got %v", err)
	}
}

func TestAdmin_HealthMetricsAndProfiles_AreServed(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, odd))
	d := start(t, up.url())
	if _, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e != nil {
		t.Fatal(e)
	}
	_ = d.copyREST(t, templateID, `{}`)
	_ = d.copyREST(t, templateID, `nonsense`)
	_ = d.do(t, "GET", "/nothing", "")
	metrics := d.scrape(t)
	method := "diga.integration.v1.IntegrationService/CopyTemplate"
	for _, want := range []string{
		`digate_calls_total{code="OK",method="` + method + `",outcome="DONE",protocol="grpc"} 1`,
		`digate_calls_total{code="OK",method="` + method + `",outcome="DONE",protocol="rest"} 1`,
		`digate_calls_total{code="INVALID_ARGUMENT",method="` + method + `",outcome="NOT_SENT",protocol="rest"} 1`,
		`digate_calls_started_total{method="` + method + `",protocol="rest"} 2`,
		`digate_calls_started_total{method="other",protocol="rest"} 1`,
		`digate_http_responses_total{status="201"} 1`,
		`digate_http_responses_total{status="422"} 1`,
		`digate_upstream_requests_total{method="` + method + `",outcome="DONE",status="201"} 2`,
		`digate_upstream_drift_total{kind="auth_type: enum"} 2`,
		`digate_upstream_drift_total{kind="future: unknown_field"} 2`,
		`digate_upstream_drift_total{kind="base_url: missing"} 2`,
		"go_goroutines", "process_open_fds",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if n := strings.Count(d.log.String(), `"drift":"auth_type: enum"`); n != 1 {
		t.Errorf("the drift was logged %d times, want once", n)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/debug/pprof/": 404, "/debug/pprof/heap": 404, "/nothing": 404} {
		if got := d.admin(t, path).status; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}

func TestHealthAndOpenReflection_NeedNoCredential(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1", func(c *config.Config) { c.OpenReflection = true })
	got, err := healthv1.NewHealthClient(d.conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil || got.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", got, err)
	}
	stream, m := d.reflect(t)
	if !strings.Contains(m.String(), "diga.integration.v1.IntegrationService") {
		t.Errorf("reflection: %v", m)
	}
	_ = stream.CloseSend()
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("reflection ended with %v", err)
	}
}

func TestAccessLog_EveryCall_HasOneLine(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(404, nil, envelope))
	d := start(t, up.url())
	_, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
	if e == nil {
		t.Fatal("the call succeeded")
	}
	_ = d.copyREST(t, templateID, `{}`)
	_ = d.copyREST(t, templateID, `{`)
	_ = d.copyREST(t, templateID, `{}`, "Authorization", "")
	_ = d.do(t, "GET", "/nothing", "")
	if _, e := d.copyCtx(t.Context(), &integrationv1.CopyTemplateRequest{}); e == nil || e.Code != codes.Unauthenticated {
		t.Errorf("got %v", e)
	}
	// The server ends first, since a line may be logged after the response.
	d.stop()
	<-d.ended
	var got []string
	for line := range strings.SplitSeq(d.log.String(), "\n") {
		if !strings.Contains(line, `"msg":"call"`) {
			continue
		}
		for _, name := range []string{"protocol", "method", "code", "outcome", "duration_us", "x_request_id"} {
			if !strings.Contains(line, `"`+name+`":`) {
				t.Errorf("no %s in %s", name, line)
			}
		}
		got = append(got, line)
	}
	if len(got) != 6 {
		t.Errorf("%d access lines for 6 calls:\n%s", len(got), strings.Join(got, "\n"))
	}
	if n := strings.Count(strings.Join(got, "\n"), `"upstream_status":404`); n != 2 {
		t.Errorf("%d lines have Diga's status, want 2", n)
	}
}

func TestGRPC_UnknownMethod_IsRefusedWithAnErrorInfo(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1")
	for _, method := range []string{"/diga.integration.v1.IntegrationService/Nothing", "/no.Service/Nothing"} {
		err := d.conn.Invoke(withToken(t.Context(), token), method, &integrationv1.CopyTemplateRequest{}, &integrationv1.CopyTemplateResponse{})
		if e := apierror.FromError(err); e.Code != codes.Unimplemented || e.Reason != "UNKNOWN_METHOD" || e.Outcome != exchange.NotSent {
			t.Errorf("%s: %v", method, err)
		}
	}
}

func TestGRPC_OwnError_HasItsDetailsOnTheWire(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1")
	_, err := d.rpc.CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: "x"})
	st := status.Convert(err)
	if len(st.Details()) != 2 {
		t.Errorf("details %v, want ErrorInfo and BadRequest", st.Details())
	}
}
