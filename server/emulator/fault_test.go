package emulator_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/server/emulator"
)

// faultNamed returns the id of a fault.
func faultNamed(t *testing.T, name string) string {
	t.Helper()
	for _, f := range emulator.Faults() {
		if f.Name == name {
			return f.ID
		}
	}
	t.Fatalf("no fault %q", name)
	return ""
}

func TestFaults_SayTruthfullyWhetherTheyCommit(t *testing.T) {
	t.Parallel()
	for _, f := range emulator.Faults() {
		if f.ID == "" || f.Description == "" {
			t.Errorf("incomplete: %+v", f)
		}
		if f.Name == "hang" {
			continue // has a test of its own
		}
		t.Run(f.Name, func(t *testing.T) {
			u := start(t, emulator.Options{Drip: time.Millisecond})
			_, _ = u.try(u.request("t", "POST", "/v1/integration/template/"+f.ID+"/copy", `{"name":"n"}`))
			if f.Name == "unavailable-once" {
				_, _ = u.try(u.request("t", "POST", "/v1/integration/template/"+f.ID+"/copy", `{"name":"n"}`))
			}
			have := u.Integrations("t")
			if (len(have) == 1) != f.Commits {
				t.Fatalf("%d integrations, Commits %v", len(have), f.Commits)
			}
			if f.Commits && (have[0].Name != "n" || *have[0].SourceTemplateID != f.ID || have[0].RequiresSetup || len(have[0].Tools) != 1) {
				t.Errorf("created %+v", have[0])
			}
		})
	}
}

func TestFaults_Statuses(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	for _, row := range []struct {
		name                    string
		status                  int
		retryAfter, kind, start string
	}{
		{"rate-limited", 429, "2", "application/json", `{"status":"error","error_code":"RATE_LIMIT_EXCEEDED","message":"`},
		{"internal-error", 500, "", "application/json", `{"status":"error","error_code":"INTERNAL_SERVER_ERROR","message":"`},
		{"bad-gateway", 502, "", "text/html", `<html>`},
		{"unavailable", 503, "1", "application/json", `{"status":"error","error_code":"WORKFLOW_SERVICE_UNAVAILABLE","message":"`},
	} {
		id := faultNamed(t, row.name)
		for _, got := range []reply{u.copy("t", id, `{}`), u.call("t", "GET", "/v1/integration/template/"+id, "")} {
			if got.status != row.status || got.header.Get("Retry-After") != row.retryAfter ||
				got.header.Get("Content-Type") != row.kind || !strings.HasPrefix(got.body, row.start) {
				t.Errorf("%s: %d %v %s", row.name, got.status, got.header, got.body)
			}
		}
	}
}

func TestFaults_InvalidRequest_IsRefusedFirst(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	for _, f := range emulator.Faults() {
		if got := u.copy("t", f.ID, `{"name":1}`); got.status != 422 {
			t.Errorf("%s: %d %s", f.Name, got.status, got.body)
		}
		if got := u.copy("", f.ID, `{}`); got.status != 401 {
			t.Errorf("%s without token: %d %s", f.Name, got.status, got.body)
		}
	}
}

func TestFaultReset_ConnectionIsResetBeforeAnyResponse(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	for _, name := range []string{"reset-before-commit", "reset-after-commit"} {
		_, err := u.try(u.request("t", "POST", "/v1/integration/template/"+faultNamed(t, name)+"/copy", `{}`))
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if p := u.list("t", "/v1/integration"); len(p.Data) != 1 {
		t.Errorf("listed afterwards: %+v", p)
	}
}

func TestFaultReset_OverTLS(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		e := emulator.New(emulator.Options{})
		s := httptest.NewUnstartedServer(e)
		s.EnableHTTP2 = http2
		s.StartTLS()
		u := &upstream{e, t, s.URL, s.Client()}
		_, err := u.try(u.request("t", "POST", "/v1/integration/template/"+faultNamed(t, "reset-after-commit")+"/copy", `{}`))
		if err == nil || !http2 && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("HTTP/2 %v: got %v", http2, err)
		}
		if n := len(u.Integrations("t")); n != 1 {
			t.Errorf("HTTP/2 %v: %d integrations", http2, n)
		}
		s.Close()
	}
}

func TestFaultReset_WithoutHijacking_AbortsTheResponse(t *testing.T) {
	t.Parallel()
	e := emulator.New(emulator.Options{})
	r := httptest.NewRequest(http.MethodGet, "/v1/integration/template/"+faultNamed(t, "reset-before-commit"), nil)
	r.Header.Set("Authorization", "Bearer t")
	defer func() {
		if got := recover(); got != http.ErrAbortHandler {
			t.Errorf("got %v", got)
		}
	}()
	e.ServeHTTP(httptest.NewRecorder(), r)
}

// hanging starts an upstream. arrived receives when the handler begins a request, left when the handler
// returns.
func hanging(t *testing.T) (u *upstream, e *emulator.Emulator, arrived, left chan struct{}) {
	arrived, left = make(chan struct{}, 1), make(chan struct{}, 1)
	e = emulator.New(emulator.Options{})
	u = serve(t, e, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		defer func() { left <- struct{}{} }()
		e.ServeHTTP(w, r)
	}))
	return u, e, arrived, left
}

func TestFaultHang_CallerLeaves_HandlerEnds(t *testing.T) {
	t.Parallel()
	u, _, arrived, left := hanging(t)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := u.try(u.request("t", "POST", "/v1/integration/template/"+faultNamed(t, "hang")+"/copy", `{}`).WithContext(ctx))
		failed <- err
	}()
	<-arrived
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-left
	if n := len(u.Integrations("t")); n != 0 {
		t.Errorf("%d integrations", n)
	}
}

func TestFaultHang_EmulatorCloses_HandlerEnds(t *testing.T) {
	t.Parallel()
	u, e, arrived, left := hanging(t)
	failed := make(chan error)
	go func() {
		_, err := u.try(u.request("t", "GET", "/v1/integration/template/"+faultNamed(t, "hang"), ""))
		failed <- err
	}()
	<-arrived
	e.Close()
	if err := <-failed; err == nil {
		t.Error("there was a response")
	}
	<-left
}

func TestFaultSlowDrip_ResponseArrivesWhole(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{Drip: 20 * time.Millisecond})
	got := u.copy("t", faultNamed(t, "slow-drip"), `{"name":"n"}`)
	if got.status != 201 || got.field(t, "id") != u.Integrations("t")[0].ID {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// flushes counts the pieces in which a response is sent.
type flushes struct {
	*httptest.ResponseRecorder
	n int
}

func (f *flushes) Flush() { f.n++ }

func TestFaultSlowDrip_TakesAsLongAsConfigured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := emulator.New(emulator.Options{Drip: 6 * time.Second})
		r := httptest.NewRequest(http.MethodGet, "/v1/integration/template/"+faultNamed(t, "slow-drip"), nil)
		r.Header.Set("Authorization", "Bearer t")
		w := &flushes{ResponseRecorder: httptest.NewRecorder()}
		began := time.Now()
		e.ServeHTTP(w, r)
		if took := time.Since(began); took < 5900*time.Millisecond || took > 6*time.Second {
			t.Errorf("took %v", took)
		}
		if w.n < 10 {
			t.Errorf("only %d pieces of %d bytes", w.n, w.Body.Len())
		}
	})
}

func TestFaultSlowDrip_EmulatorCloses_ResponseIsCutOff(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{Drip: 24 * time.Hour})
	r := u.request("t", "POST", "/v1/integration/template/"+faultNamed(t, "slow-drip")+"/copy", `{}`)
	res := make(chan error)
	arrived := make(chan struct{})
	inner := u.client.Transport
	u.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		close(arrived)
		return inner.RoundTrip(r)
	})
	go func() {
		_, err := u.try(r)
		res <- err
	}()
	<-arrived
	u.Close()
	if err := <-res; err == nil {
		t.Error("the response was completed")
	}
	inner.(*http.Transport).CloseIdleConnections()
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestFaultTruncated_LessArrivesThanWasAnnounced(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	res, err := u.client.Do(u.request("t", "POST", "/v1/integration/template/"+faultNamed(t, "truncated")+"/copy", `{}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || res.StatusCode != http.StatusCreated || int64(len(body)) != res.ContentLength/2 || !strings.HasPrefix(string(body), `{"id":"`) {
		t.Errorf("got %d, %d of %d bytes: %s %v", res.StatusCode, len(body), res.ContentLength, body, err)
	}
}

func TestFaultDrift_AddsWhatTheContractDoesNotKnow(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	got := u.copy("t", faultNamed(t, "drift"), `{}`)
	id := u.Integrations("t")[0].ID
	wantReply(t, got, 201, `{"schema_version":7,"id":"`+id+`","name":"Fault: drift",`+
		`"description":"a response with unknown fields and enum values and odd times","base_url":"https://faults.example.com",`+
		`"auth_type":"OAUTH2","integration_type":"GRPC","auth_key":null,"headers":{},"requires_setup":false,`+
		`"source_integration_template_id":"`+faultNamed(t, "drift")+`","created_at":"2026-11-23T20:02:11",`+
		`"updated_at":"2026-11-23T20:02:11+00:00","owner":{"id":42,"tags":["a",null,1.5]}}`)
	if got := u.call("t", "GET", "/v1/integration/"+id, ""); got.field(t, "auth_type") != "NONE" {
		t.Errorf("the drift was kept: %s", got.body)
	}
}

func TestFaultPoor_LacksRequiredFields(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	got := u.copy("t", faultNamed(t, "poor"), `{"name":"n"}`)
	wantReply(t, got, 201, `{"id":"`+u.Integrations("t")[0].ID+`","name":"n",`+
		`"description":"a response that lacks fields which its schema requires","base_url":"https://faults.example.com",`+
		`"headers":{},"requires_setup":false,"source_integration_template_id":"`+faultNamed(t, "poor")+`",`+
		`"created_at":"2026-11-23T20:02:11.123456Z","updated_at":"2026-11-23T20:02:11.123456Z"}`)
}

func TestFaultUnavailableOnce_AlternatesForEachToken(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	id := faultNamed(t, "unavailable-once")
	for i, want := range []int{503, 201, 503, 201} {
		if got := u.copy("t", id, `{}`); got.status != want {
			t.Errorf("use %d: %d, want %d", i, got.status, want)
		}
		if i == 0 {
			if got := u.copy("u", id, `{}`); got.status != 503 {
				t.Errorf("another token: %d, want 503", got.status)
			}
		}
	}
}

func TestFaults_PastALimit_AreRefusedLikeAnyTemplate(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{MaxIntegrations: 1})
	u.copied("t", deepwiki, `{}`)
	for _, f := range emulator.Faults() {
		if !f.Commits || f.Name == "unavailable-once" {
			continue
		}
		wantReply(t, u.copy("t", f.ID, `{}`), 429,
			`{"status":"error","error_code":"EMULATOR_LIMIT_REACHED","message":"The emulator keeps no more integrations of one token"}`)
	}
}
