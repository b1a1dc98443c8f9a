package server_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/telemetry/export/exporttest"
	"github.com/digate/digate/test/await"
)

// A caller's span, as W3C's Trace Context has it.
const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	callersSpan  = "b7ad6b7169203331"
	traceparent  = "00-" + callersTrace + "-" + callersSpan + "-01"
	copyMethod   = "diga.integration.v1.IntegrationService/CopyTemplate"
	copyRoute    = "POST /v1/integration/template/{template_id}/copy"
)

func withParent(ctx context.Context, value string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "traceparent", value)
}

func TestTrace_CopyOverGRPC_IsOneTraceFromTheCallerToDiga(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	up.will(respond(201, nil, full))
	d := traced(t, c, up.url())
	if _, err := d.copyCtx(withParent(withToken(t.Context(), token), traceparent), &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil {
		t.Fatal(err)
	}
	all := d.spans(t, c)
	wantTree(t, all.tree("rpc.system.name", "rpc.method", "rpc.response.status_code", "digate.outcome", "digate.attempts",
		"http.request.method", "url.template", "server.address", "http.response.status_code", "http.request.resend_count"), `
		server: `+copyMethod+` name=grpc method=`+copyMethod+` status_code=OK outcome=DONE attempts=1
		  client: `+copyRoute+` outcome=DONE method=POST template=/v1/integration/template/{template_id}/copy address=127.0.0.1 status_code=201`)
	for _, s := range all {
		if traceID(s) != callersTrace {
			t.Errorf("%s is in the trace %s", s.GetName(), traceID(s))
		}
	}
	if parent := string(all[0].GetParentSpanId()); parent != "\xb7\xad\x6b\x71\x69\x20\x33\x31" {
		t.Errorf("the span is below %x", parent)
	}
	if log := d.log.String(); !strings.Contains(log, `"trace_id":"`+callersTrace+`","span_id":"`+spanID(all[0])+`"`) {
		t.Errorf("no ids in the access line:\n%s", log)
	}
	if h := up.one(t).header; h.Get("Traceparent") != "" {
		t.Errorf("Diga got %v", h)
	}
}

func TestTrace_CopyOverREST_HasOneServerSpanThatIsNamedByItsRoute(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	up.will(respond(201, nil, full))
	d := traced(t, c, up.url())
	if rest := d.copyREST(t, templateID, `{}`, "traceparent", traceparent); rest.status != 201 {
		t.Fatal(rest)
	}
	all := d.spans(t, c)
	wantTree(t, all.tree("rpc.method", "digate.method", "http.route", "http.response.status_code", "digate.outcome"), `
		server: `+copyRoute+` method=`+copyMethod+` route=/v1/integration/template/{template_id}/copy status_code=201 outcome=DONE
		  client: `+copyRoute+` status_code=201 outcome=DONE`)
	if traceID(all[0]) != callersTrace {
		t.Errorf("the span is in the trace %s", traceID(all[0]))
	}
	if log := d.log.String(); !strings.Contains(log, `"trace_id":"`+callersTrace+`","span_id":"`+spanID(all[0])+`"`) {
		t.Errorf("no ids in the access line:\n%s", log)
	}
}

func TestTrace_RetriedCall_HasASpanForEachAttempt(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	up.will(inTurn(respond(503, map[string]string{"Retry-After": "0"}, envelope), respond(201, nil, full)))
	d := traced(t, c, up.url(), asShipped, func(c *config.Config) { c.Upstream.RetryBudget = 1 })
	if _, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil {
		t.Fatal(err)
	}
	wantTree(t, d.spans(t, c).tree("digate.attempts", "digate.outcome", "http.response.status_code", "http.request.resend_count"), `
		server: `+copyMethod+` attempts=2 outcome=DONE
		  client: `+copyRoute+` outcome=REJECTED status_code=503 failed 503
		  client: `+copyRoute+` outcome=DONE status_code=201 resend_count=1`)
}

func TestTrace_CopyWithARequestID_ShowsTheLedger(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	up.will(respond(201, nil, full))
	d := traced(t, c, up.url())
	if _, err := d.copyRPC(t, withID("first")); err != nil {
		t.Fatal(err)
	}
	up.will(respond(200, nil, full))
	if _, err := d.copyRPC(t, withID("first")); err != nil {
		t.Fatal(err)
	}
	wantTree(t, d.spans(t, c).tree("digate.replayed", "digate.outcome", "digate.outlived_caller"), `
		server: `+copyMethod+` replayed=false outcome=DONE
		  internal: call with a request id replayed=false outcome=DONE outlived_caller=false
		    internal: ledger claim
		    internal: ledger mark_sending
		    client: `+copyRoute+` outcome=DONE
		    internal: ledger mark_done
		server: `+copyMethod+` replayed=true outcome=DONE
		  internal: call with a request id replayed=true outcome=DONE outlived_caller=false
		    internal: ledger claim
		    client: GET /v1/integration/{integration_id} outcome=DONE`)
}

func TestTrace_CallerThatLeaves_CopyGoesOnInItsTrace(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	arrived, release := copiesWait(up)
	d := traced(t, c, up.url())
	ctx, leave := context.WithCancel(withParent(withToken(t.Context(), token), traceparent))
	go func() { <-arrived; leave() }()
	if _, err := d.copyCtx(ctx, withID("left")); err == nil {
		t.Fatal("no failure")
	}
	d.log.await(t, 1, `"msg":"call"`) // the call's span has ended
	close(release)
	all := d.spans(t, c)
	wantTree(t, all.tree("digate.outcome", "digate.outlived_caller"), `
		server: `+copyMethod+` outcome=UNKNOWN
		  internal: call with a request id outcome=DONE outlived_caller=true
		    internal: ledger claim
		    internal: ledger mark_sending
		    client: `+copyRoute+` outcome=DONE
		    internal: ledger mark_done`)
	for _, s := range all {
		if traceID(s) != callersTrace {
			t.Errorf("%s is in the trace %s", s.GetName(), traceID(s))
		}
	}
}

func TestTrace_BulkItems_HaveTracesOfTheirOwnThatAreLinkedToTheStream(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	up.will(respond(201, nil, full))
	d := traced(t, c, up.url())
	stream := d.bulk(t.Context(), t)
	for _, id := range []string{"a", "b"} {
		if err := stream.Send(item(templateID, id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if results, _, err := drain(stream); err != nil || len(results) != 2 {
		t.Fatal(results, err)
	}
	all := d.spans(t, c)
	bulk := all.named(t, "diga.integration.v1.IntegrationService/BulkCopyTemplate")
	if items, _ := attribute(bulk, "digate.items"); items != "2" {
		t.Errorf("the stream's span has %s items", items)
	}
	n := 0
	for _, s := range all {
		if s.GetName() != "bulk item" {
			continue
		}
		n++
		if len(s.GetParentSpanId()) != 0 || traceID(s) == traceID(bulk) {
			t.Errorf("an item is in the stream's trace")
		}
		if links := s.GetLinks(); len(links) != 1 || string(links[0].GetSpanId()) != string(bulk.GetSpanId()) || string(links[0].GetTraceId()) != string(bulk.GetTraceId()) {
			t.Errorf("an item has the links %v", links)
		}
	}
	if n != 2 || len(all) != 1+2*6 {
		t.Errorf("%d items of\n%s", n, all.tree())
	}
}

// A caller names a span, or none. All else is as if it named none.
func TestTrace_HostileTraceparent_IsLeftOut(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	up.will(respond(201, nil, full))
	d := traced(t, c, up.url())
	hostile := []string{
		"", "00", "00-" + callersTrace, "00-00000000000000000000000000000000-" + callersSpan + "-01",
		"00-" + callersTrace + "-0000000000000000-01", "ff-" + callersTrace + "-" + callersSpan + "-01",
		strings.ToUpper(traceparent), traceparent + "-x", "00-" + strings.Repeat("a", 4<<10) + "-" + callersSpan + "-01",
	}
	for _, value := range hostile {
		if _, err := d.copyCtx(withParent(withToken(t.Context(), token), value), &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil {
			t.Fatal(err)
		}
		if rest := d.copyREST(t, templateID, `{}`, "traceparent", value); rest.status != 201 {
			t.Fatal(rest)
		}
	}
	twice := withParent(withParent(withToken(t.Context(), token), traceparent), traceparent)
	if _, err := d.copyCtx(twice, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil {
		t.Fatal(err)
	}
	long := metadata.AppendToOutgoingContext(withParent(withToken(t.Context(), token), traceparent), "tracestate", "a="+strings.Repeat("b", 250)+",c="+strings.Repeat("d", 250)+",e="+strings.Repeat("f", 250))
	if _, err := d.copyCtx(long, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil {
		t.Fatal(err)
	}
	all := d.spans(t, c)
	if want := 2 * (2*len(hostile) + 2); len(all) != want {
		t.Fatalf("%d spans, want %d", len(all), want)
	}
	for _, s := range all[:len(all)-2] {
		if traceID(s) == callersTrace {
			t.Errorf("%s is in a trace that nobody named rightly", s.GetName())
		}
	}
	if last := all[len(all)-2]; traceID(last) != callersTrace || last.GetTraceState() != "" {
		t.Errorf("a long state: the trace is %s, with the state %q", traceID(last), last.GetTraceState())
	}
}

// The lines of a call that is not sampled name the trace of its caller, who may know it,
// and no span, which nobody has.
func TestTrace_CallerWhoseSpanIsNotSampled_HasNone(t *testing.T) {
	t.Parallel()
	unsampled := strings.TrimSuffix(traceparent, "01") + "00"
	for _, variables := range [][]string{nil, {"OTEL_TRACES_SAMPLER", "always_off"}} {
		up, c := newScripted(t), exporttest.New(t)
		d := serveTraced(t, c, up.url(), variables...)
		parent := unsampled
		if variables != nil {
			parent = traceparent
		}
		d.callInEveryWay(t, up, parent)
		if all := d.spans(t, c); len(all) > 0 {
			t.Errorf("%v: spans:\n%s", variables, all.tree())
		}
		log := d.log.String()
		for _, what := range []string{`"msg":"call","protocol":"grpc"`, `"msg":"call","protocol":"rest"`, `"kind":"bulk_item"`, `"kind":"detached_call"`} {
			if lines := linesWith(log, what); len(lines) == 0 || slices.ContainsFunc(lines, func(l string) bool { return !strings.Contains(l, `"trace_id":"`+callersTrace+`"`) }) {
				t.Errorf("%v: lines that do not name the trace:\n%s", variables, strings.Join(lines, "\n"))
			}
		}
		if strings.Contains(log, "span_id") {
			t.Errorf("%v: a line names a span:\n%s", variables, log)
		}
	}
}

// Ids that nobody has are in no line.
func TestTrace_UnsampledCallOfItsOwn_HasNoIDsInItsLines(t *testing.T) {
	t.Parallel()
	for _, variables := range [][]string{
		{"OTEL_TRACES_SAMPLER", "always_off"}, {"OTEL_TRACES_SAMPLER", "always_off", "OTEL_PROPAGATORS", "none"},
	} {
		up, c := newScripted(t), exporttest.New(t)
		d := serveTraced(t, c, up.url(), variables...)
		parent := "malformed"
		if len(variables) > 2 {
			parent = traceparent // which is not read
		}
		d.callInEveryWay(t, up, parent)
		if all := d.spans(t, c); len(all) > 0 {
			t.Errorf("%v: spans:\n%s", variables, all.tree())
		}
		if log := d.log.String(); strings.Contains(log, "trace_id") || strings.Contains(log, "span_id") {
			t.Errorf("%v: ids in\n%s", variables, log)
		}
	}
}

// Anybody can make these, as many as they like.
func TestTrace_HealthChecksScrapesAndStrangers_HaveNoSpan(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	d := traced(t, c, up.url())
	if _, err := grpc_health_v1.NewHealthClient(d.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/"} {
		d.admin(t, path)
	}
	if _, err := d.copyCtx(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err == nil {
		t.Error("a call without a credential succeeded")
	}
	send(t, d.http, http.MethodPost, d.rest, copyPath, `{}`, "Authorization", "")
	send(t, d.http, http.MethodGet, d.rest, "/nowhere", "")
	if all := d.spans(t, c); len(all) > 0 {
		t.Errorf("spans:\n%s", all.tree())
	}
}

func TestTrace_WaitForTheLimit_IsASpan(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	arrived, release := copiesWait(up)
	d := traced(t, c, up.url(), func(c *config.Config) { c.Upstream.MaxInFlight = 1 })
	ended := make(chan error, 2)
	call := func() {
		_, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
		if err != nil {
			ended <- err
			return
		}
		ended <- nil
	}
	go call()
	<-arrived
	go call()
	if err := await.Poll(await.Patience, d.ended, func() error {
		if !strings.Contains(d.scrape(t), "digate_upstream_queued 1") {
			return errors.New("no call waits")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	close(release)
	for range 2 {
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	wantTree(t, d.spans(t, c).tree("digate.waited_for"), `
		server: `+copyMethod+`
		  client: `+copyRoute+`
		server: `+copyMethod+`
		  internal: admission wait waited_for=send
		  client: `+copyRoute)
}

func TestTrace_DigaGetsTheTraceByFlagAlone(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	up.will(respond(201, nil, full))
	d := traced(t, c, up.url(), func(c *config.Config) { c.Upstream.TraceContext = true })
	ctx := metadata.AppendToOutgoingContext(withParent(withToken(t.Context(), token), traceparent), "tracestate", "a=b")
	if _, err := d.copyCtx(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil {
		t.Fatal(err)
	}
	all := d.spans(t, c)
	h := up.one(t).header
	if got, want := h.Get("Traceparent"), "00-"+callersTrace+"-"+spanID(all.named(t, copyRoute))+"-01"; got != want {
		t.Errorf("Diga got the traceparent %s, want %s", got, want)
	}
	if h.Get("Tracestate") != "" {
		t.Error("Diga got the tracestate")
	}
}

func TestTrace_CollectorThatHangs_CostsNoCallAndBoundsTheStop(t *testing.T) {
	t.Parallel()
	up, c := newScripted(t), exporttest.New(t)
	up.will(respond(201, nil, full))
	gone := make(chan struct{})
	t.Cleanup(func() { close(gone) })
	c.First(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-r.Context().Done():
		case <-gone:
		}
		return true
	})
	d := serveTraced(t, c, up.url(), "OTEL_BSP_MAX_QUEUE_SIZE", "4", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2", "OTEL_BSP_SCHEDULE_DELAY", "1")
	for range 20 {
		if _, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil {
			t.Fatal(err)
		}
	}
	if metrics := d.scrape(t); !strings.Contains(metrics, `digate_trace_spans_total{result="full"}`) || strings.Contains(metrics, `digate_trace_spans_total{result="full"} 0`) {
		t.Error("no lost span is counted")
	}
	began := time.Now()
	d.spans(t, c)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the stop took %v", took)
	}
	if !strings.Contains(d.log.String(), `did not take`) {
		t.Error("no line about lost spans")
	}
}

func TestTrace_NothingThatCallersOrDigaSay_IsInASpan(t *testing.T) {
	t.Parallel()
	const said = "v4lue" // no secret: errors may say it
	const short = 500 * time.Millisecond
	const name, quoted = "Tienda " + said, "words of Diga " + said
	up, c := newScripted(t), exporttest.New(t)
	d := traced(t, c, up.url(), func(c *config.Config) { c.Integration.Bulk.ItemTimeout, c.Upstream.Timeout = short, short })
	body := `{"status":"error","error_code":"SOME_CODE","message":"` + quoted + `"}`
	kinds := map[string]script{
		"success": respond(201, nil, strings.Replace(full, "Tienda", name, 1)), "rejected": respond(422, nil, body), "failed": respond(500, nil, body),
		"gateway": respond(502, nil, "<p>"+quoted), "limited": respond(429, nil, body), "reset": raw("", true), "odd": respond(201, nil, `{"`+quoted+`":1}`),
		"denied": respond(401, nil, body), "hang": func(c net.Conn, _ sent) bool { buf := make([]byte, 1); _, _ = c.Read(buf); return false },
	}
	for kind, s := range kinds {
		up.will(s)
		req := &integrationv1.CopyTemplateRequest{
			TemplateId: templateID, Name: new(name), ApiKey: new(apiKey), BaseUrl: new("https://" + said + ".example"),
			Variables: structOf("v", varSec), RequestId: "grpc-" + said + "-" + kind,
		}
		ctx := metadata.AppendToOutgoingContext(withToken(t.Context(), token), "tracestate", "a="+said, "baggage", "b="+said)
		ctx, cancel := context.WithTimeout(ctx, short)
		_, _ = d.copyCtx(ctx, req)
		cancel()
		d.copyREST(t, templateID, `{"name":"`+name+`","api_key":"`+apiKey+`","variables":{"v":"`+varSec+`"}}`, "Idempotency-Key", "rest-"+said+"-"+kind, "baggage", "b="+said, "Digate-Timeout", "0.5")
		d.copyREST(t, templateID, `{"name":"`+name+`","variables":"`+varSec+`"}`, "Idempotency-Key", "wrong-"+said+"-"+kind)
		stream := d.bulk(t.Context(), t)
		_ = stream.Send(&integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{TemplateId: templateID, Name: new(name), RequestId: "bulk-" + said + kind}})
		_ = stream.CloseSend()
		_, _, _ = drain(stream)
	}
	all := d.spans(t, c)
	if len(all) < 5*len(kinds) {
		t.Errorf("%d spans", len(all))
	}
	if text := c.Text(); strings.Contains(text, marker) || strings.Contains(text, said) || strings.Contains(text, "Tienda") {
		t.Errorf("a value is in\n%s", all.tree())
		if err := noSecretIn(text); err != nil {
			t.Error(err)
		}
	}
}
