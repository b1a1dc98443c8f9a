package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/test/await"
)

// A caller that does not want to wait hears at once what Diga says at once, on both
// protocols; and so does the next one of an account that Diga told to wait.
func TestWaiting_CallerThatPrefersNotTo_HearsTheFirstVerdict(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), asShipped)
	limited := respond(429, map[string]string{"Retry-After": "1"}, envelope)
	for i, prefer := range []string{"wait=0", "respond-async, wait=0"} {
		account := fmt.Sprint(token, i)
		up.will(inTurn(limited, respond(201, nil, full)))
		rest := d.copyREST(t, templateID, `{}`, "Authorization", "Bearer "+account+"-rest", "Prefer", prefer)
		if wantREST(t, rest, 429, "REJECTED", ""); rest.header.Get("Preference-Applied") != "wait=0" || rest.header.Get("Retry-After") != "1" {
			t.Errorf("%v", rest.header)
		}
		up.one(t)
		again := d.copyREST(t, templateID, `{}`, "Authorization", "Bearer "+account+"-rest", "Prefer", prefer)
		if wantREST(t, again, 503, "NOT_SENT", "OVERLOADED"); again.header.Get("Retry-After") == "" {
			t.Errorf("%v", again.header)
		}
		up.one(t)

		up.will(inTurn(limited, respond(201, nil, full)))
		ctx, cancel := context.WithTimeout(withToken(t.Context(), account+"-grpc"), await.Patience)
		defer cancel()
		ctx = metadata.AppendToOutgoingContext(ctx, "prefer", prefer)
		if _, e := d.copyCtx(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e == nil || e.Code != codes.ResourceExhausted {
			t.Errorf("gRPC: %v", e)
		}
		up.one(t)
	}
}

// A caller that is ready to wait for long enough gets what it waited for.
func TestWaiting_CallerThatHasTheTime_GetsTheNextVerdict(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), asShipped)
	later := respond(503, map[string]string{"Retry-After": "1"}, envelope)
	for prefer, status := range map[string]int{"wait=30": 201, "": 201, "wait=nonsense": 201, "wait=1": 503} {
		up.will(inTurn(later, respond(201, nil, full)))
		rest := d.copyREST(t, templateID, `{}`, "Authorization", "Bearer "+token+prefer, "Prefer", prefer)
		if rest.status != status {
			t.Errorf("%s: %d %s", prefer, rest.status, rest.body)
		}
	}
}

// What a caller of REST says of its patience is a deadline as gRPC's: it reaches Diga,
// and no longer time than --max-deadline comes of it.
func TestTimeout_OfARESTCaller_EndsItsRequest(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) {
		c.Upstream.Timeout, c.MaxDeadline = 100*time.Millisecond, 300*time.Millisecond
	})
	up.will(hang)
	for timeout, least := range map[string]time.Duration{"0.2": 150 * time.Millisecond, "0.250": 200 * time.Millisecond, "3600": 200 * time.Millisecond, "1e9": 0, "": 0} {
		began := time.Now()
		rest := d.copyREST(t, templateID, `{}`, "Digate-Timeout", timeout)
		if timeout == "1e9" {
			wantREST(t, rest, 422, "NOT_SENT", "")
			continue
		}
		if wantREST(t, rest, 504, "UNKNOWN", "OUTCOME_UNKNOWN"); time.Since(began) < least {
			t.Errorf("%s: after %v", timeout, time.Since(began))
		}
	}
	up.will(respond(201, nil, full))
	wantREST(t, d.copyREST(t, templateID, `{}`, "Digate-Timeout", "0.000001"), 504, "NOT_SENT", "DEADLINE_BEFORE_SEND")
	late := d.do(t, "POST", bulkPath, `{"request_id":"t","template_id":"`+templateID+`"}`, "Digate-Timeout", "0.000001")
	if n := strings.Count(late.body, `"outcome":"NOT_SENT"`); n != 2 {
		t.Errorf("in bulk: %s", late.body)
	}
	bulk := d.do(t, "POST", bulkPath, `{"request_id":"t","template_id":"`+templateID+`"}`, "Digate-Timeout", "nonsense")
	wantREST(t, bulk, 422, "NOT_SENT", "")
	for _, wrong := range []string{"0", "-1", "nonsense", "1s", "NaN", "Inf", "0x1p3", "1,2", ".", "1.2.3"} {
		rest := d.copyREST(t, templateID, `{}`, "Digate-Timeout", wrong)
		if wantREST(t, rest, 422, "NOT_SENT", ""); !strings.Contains(rest.body, `"loc":["header","digate-timeout"]`) {
			t.Errorf("%s: %s", wrong, rest.body)
		}
	}
	up.none(t)
}
