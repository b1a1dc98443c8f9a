package server_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/upstream"
	"github.com/digate/digate/test/await"
	"github.com/digate/digate/test/rig"
)

// asShipped switches on again what settings switches off: retries and the circuit
// breaker.
func asShipped(c *config.Config) {
	defaults := config.Defaults()
	c.Upstream.MaxAttempts, c.Upstream.BreakerDelay = defaults.Upstream.MaxAttempts, defaults.Upstream.BreakerDelay
}

// inTurn returns a script that runs the given ones, one for each request, and the
// last one for all that follow.
func inTurn(scripts ...script) script {
	var n atomic.Int64
	return func(c net.Conn, r sent) bool {
		return scripts[min(int(n.Add(1)), len(scripts))-1](c, r)
	}
}

func TestRepeat_RetryAfter_IsWaitedForOnBothProtocolsAndLogged(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), asShipped)
	later := respond(503, map[string]string{"Retry-After": "0"}, envelope)

	up.will(inTurn(later, respond(201, nil, full)))
	if in, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil || in.GetId() != id {
		t.Errorf("gRPC: %v, %v", in, err)
	}
	up.will(inTurn(later, respond(201, nil, full)))
	if rest := d.copyREST(t, templateID, `{}`); rest.status != 201 || rest.body != full || rest.header.Get("Retry-After") != "" {
		t.Errorf("REST: %d %v %s", rest.status, rest.header, rest.body)
	}
	if got := len(up.received()); got != 2 {
		t.Errorf("%d requests", got)
	}
	if got := strings.Count(d.log.String(), `"attempts":2,`); got != 2 {
		t.Errorf("%d access lines with two attempts", got)
	}
	if !strings.Contains(d.log.String(), `"each":"503 REJECTED `) {
		t.Error("the access line does not list the attempts")
	}
	method := strings.TrimPrefix(integrationv1.IntegrationService_CopyTemplate_FullMethodName, "/")
	metrics := d.scrape(t)
	for _, want := range []string{
		`digate_upstream_requests_total{method="` + method + `",outcome="REJECTED",status="503"} 2`,
		`digate_upstream_requests_total{method="` + method + `",outcome="DONE",status="201"} 2`,
		`digate_upstream_retries_total{after="REJECTED",method="` + method + `"} 2`,
		`digate_upstream_in_flight 0`, `digate_upstream_queued 0`, `digate_upstream_circuit_open 0`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// The trailer tells clients that retry by themselves whether and when to do so.
func TestPushback_EveryFailure_TellsWhetherAndWhenToTryAgain(t *testing.T) {
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.Upstream.RetryBudget = 0 })
	away := start(t, "http://"+rig.FreeAddr(t))
	for name, c := range map[string]struct {
		script script
		on     *digate
		want   string
	}{
		"429":          {respond(429, map[string]string{"Retry-After": "7"}, envelope), d, "7000"},
		"503":          {respond(503, nil, envelope), d, "1000"},
		"503, at once": {respond(503, map[string]string{"Retry-After": "0"}, envelope), d, "1"},
		"unreachable":  {nil, away, "1000"},
		"500":          {respond(500, nil, envelope), d, "-1"},
		"proxy's 503":  {respond(503, nil, "<html>"), d, "-1"},
		"reset":        {raw("", true), d, "-1"},
		"2xx, no id":   {respond(201, nil, `{}`), d, "-1"},
		"404":          {respond(404, nil, envelope), d, ""},
		"done":         {respond(201, nil, full), d, ""},
		"refused here": {nil, d, ""},
	} {
		up.will(c.script)
		req := &integrationv1.CopyTemplateRequest{TemplateId: templateID}
		if name == "refused here" {
			req.TemplateId = "x"
		}
		var header, trailer metadata.MD
		account := token + strings.NewReplacer("'", "", ",", "", " ", "-").Replace(name) // the one that is told to wait does
		_, err := c.on.rpc.CopyTemplate(withToken(t.Context(), account), req, grpc.Header(&header), grpc.Trailer(&trailer))
		if got := strings.Join(trailer.Get("grpc-retry-pushback-ms"), ","); got != c.want {
			t.Errorf("%s: %q, want %q (%v)", name, got, c.want, err)
		}
		if len(header.Get("grpc-retry-pushback-ms")) > 0 {
			t.Errorf("%s: it is in the header, not in the trailer", name)
		}
	}
}

func TestOverload_OpenCircuitAndFullQueue_AreNotSentOnBothProtocols(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	open := start(t, up.url(), func(c *config.Config) { c.Upstream.BreakerDelay = time.Hour })
	up.will(respond(500, nil, envelope))
	for range 20 {
		open.copyREST(t, templateID, `{}`)
	}
	full := start(t, up.url(), func(c *config.Config) { c.Upstream.MaxInFlight, c.Upstream.MaxQueue = 1, 1 })
	release := make(chan struct{})
	up.will(func(c net.Conn, r sent) bool {
		<-release
		return respond(500, nil, envelope)(c, r)
	})
	ended := make(chan response, 3)
	for range 3 { // one is under way, one is in the queue, and one is refused
		go func() { ended <- full.copyREST(t, templateID, `{}`) }()
	}
	wantREST(t, await.Value(t, ended, "the call beyond the queue"), 503, "NOT_SENT", apierror.ReasonOverloaded)
	for reason, d := range map[string]*digate{apierror.ReasonCircuitOpen: open, apierror.ReasonOverloaded: full} {
		_, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
		if err == nil || err.Code != codes.Unavailable || err.Reason != reason || err.RetryAfter == nil || err.Outcome.String() != "NOT_SENT" {
			t.Errorf("gRPC: %v, want %s", err, reason)
		}
		rest := d.copyREST(t, templateID, `{}`)
		wantREST(t, rest, 503, "NOT_SENT", reason)
		if rest.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", reason)
		}
	}
	if !strings.Contains(open.log.String(), `"state":"open"`) || !strings.Contains(open.scrape(t), "digate_upstream_circuit_open 1") {
		t.Error("neither the log nor the metrics tell that the circuit is open")
	}
	close(release)
	<-ended
	<-ended
}

func TestDeadline_DigaHangs_CallerGetsDigatesVerdict(t *testing.T) {
	up := newScripted(t)
	stop := make(chan struct{})
	defer close(stop)
	up.will(func(net.Conn, sent) bool { <-stop; return false })
	d := start(t, up.url())
	var callers sync.WaitGroup
	for range 5 {
		callers.Go(func() {
			ctx, cancel := context.WithTimeout(withToken(t.Context(), token), 2*time.Second)
			defer cancel()
			_, err := d.copyCtx(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
			// The caller's own end of the call has another message.
			if err == nil || !strings.Contains(err.Message, "before Diga's response came") || err.Domain != apierror.DomainDigate || err.Reason != apierror.ReasonOutcomeUnknown || err.Code != codes.DeadlineExceeded {
				t.Errorf("%v", err)
			}
		})
	}
	callers.Wait()
}

func TestDrift_SetToFail_FailsReadsAndNoCopies(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.Upstream.Drift = upstream.DriftFail })
	odd := strings.Replace(full, "{", `{"future":"`+apiKey+`",`, 1)
	up.will(respond(200, nil, odd))
	_, err := d.rpc.GetIntegration(withToken(t.Context(), token), &integrationv1.GetIntegrationRequest{IntegrationId: id})
	e := apierror.FromError(err)
	if e == nil || e.Reason != apierror.ReasonInvalidResponse || !strings.Contains(e.Message, "future: unknown_field") {
		t.Errorf("gRPC: %v", err)
	}
	fmt.Fprintln(&output, err)
	wantREST(t, d.do(t, "GET", "/v1/integration/"+id, ""), 502, "UNKNOWN", apierror.ReasonInvalidResponse)
	up.will(respond(201, nil, odd))
	if rest := d.copyREST(t, templateID, `{}`); rest.status != 201 || rest.body != odd {
		t.Errorf("a copy: %d %s", rest.status, rest.body)
	}
	if _, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil {
		t.Errorf("a copy: %v", err)
	}
	lax := start(t, up.url())
	if rest := lax.do(t, "GET", "/v1/integration/"+id, ""); rest.status != 201 && rest.status != http.StatusOK {
		t.Errorf("not set to fail: %d", rest.status)
	}
}
