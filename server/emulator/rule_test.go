package emulator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/server/emulator"
)

// fails adds rules over HTTP.
func (u *upstream) fails(rules string) {
	u.t.Helper()
	u.control(204, "POST", "faults", "faults: ["+rules+"]")
}

// statuses returns the statuses of so many copies of a template; 0 for a reset connection.
func (u *upstream) statuses(n int, token, template string) []int {
	u.t.Helper()
	var list []int
	for range n {
		got, err := u.try(u.request(token, "POST", "/v1/integration/template/"+template+"/copy", `{"name":"n"}`))
		if err != nil && !errors.Is(err, syscall.ECONNRESET) {
			u.t.Fatal(err)
		}
		list = append(list, got.status)
	}
	return list
}

func TestRule_NextTwoCopiesOfATemplate_AreResetAfterTheWork(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	u.fails("{name: lost, match: {operation: copy_template, template_id: " + deepwiki + "}, times: 2, fault: reset-after-commit}")
	u.copied("t", holidays, `{}`)
	if got := u.statuses(3, "t", deepwiki); !slices.Equal(got, []int{0, 0, 201}) {
		t.Errorf("statuses %v", got)
	}
	if n := len(u.Integrations("t")); n != 4 {
		t.Errorf("%d integrations", n)
	}
	calls, err := u.Calls(emulator.Match{TemplateID: deepwiki})
	if err != nil || len(calls) != 3 || calls[0].Rule != "lost" || calls[0].Fault != "reset-after-commit" || calls[0].Status != 0 || calls[2].Rule != "" || calls[2].Status != 201 {
		t.Errorf("%+v %v", calls, err)
	}
	want := `{"faults":[{"name":"lost","match":{"operation":"copy_template","template_id":"` + deepwiki + `"},"times":2,"fault":"reset-after-commit","matched":3,"struck":2}]}`
	wantControl(t, u.control(200, "GET", "faults", ""), 200, want)
}

func TestRule_StrikesWhatAgreesWithEveryField(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	id := u.copied("t", holidays, `{}`)
	tool := u.Integrations("t")[0].Tools[0].ID
	toolPath := "/v1/integration/" + id + "/tool/" + tool
	for match, hits := range map[string]struct{ yes, no [3]string }{
		"operation: list_templates":       {[3]string{"t", "GET", "/v1/integration/template"}, [3]string{"t", "GET", "/v1/integration"}},
		"template_id: " + holidays:        {[3]string{"t", "GET", "/v1/integration/template/" + holidays}, [3]string{"t", "GET", "/v1/integration/template/" + deepwiki}},
		"integration_id: " + id:           {[3]string{"t", "GET", toolPath}, [3]string{"t", "GET", "/v1/integration"}},
		"tool_id: " + tool:                {[3]string{"t", "GET", toolPath}, [3]string{"t", "GET", "/v1/integration/" + id + "/tool"}},
		"token: t":                        {[3]string{"t", "GET", "/v1/integration"}, [3]string{"u", "GET", "/v1/integration"}},
		"token: t, operation: get_tool":   {[3]string{"t", "GET", toolPath}, [3]string{"t", "GET", "/v1/integration"}},
		"token: t, operation: list_tools": {[3]string{"t", "GET", "/v1/integration/" + id + "/tool"}, [3]string{"u", "GET", "/v1/integration/template"}},
	} {
		u.control(204, "DELETE", "faults", "")
		u.fails("{fault: bad-gateway, match: {" + match + "}}")
		if got := u.call(hits.yes[0], hits.yes[1], hits.yes[2], ""); got.status != 502 {
			t.Errorf("%s: %v: %d", match, hits.yes, got.status)
		}
		if got := u.call(hits.no[0], hits.no[1], hits.no[2], ""); got.status != 200 {
			t.Errorf("%s: %v: %d", match, hits.no, got.status)
		}
	}
	u.control(204, "DELETE", "faults", "")
	u.fails("{fault: bad-gateway, match: {name: n}}")
	if got := u.copy("t", deepwiki, `{"name":"n"}`); got.status != 502 {
		t.Errorf("by name: %d", got.status)
	}
	u.copied("t", deepwiki, `{"name":"m"}`)
}

func TestRule_InvalidRequest_IsRefusedFirst(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	u.fails("{fault: internal-error, times: 1}")
	if got := u.copy("t", deepwiki, `{"name":1}`); got.status != 422 {
		t.Errorf("got %d", got.status)
	}
	if got := u.copy("t", deepwiki, `{}`); got.status != 500 {
		t.Errorf("got %d", got.status)
	}
}

func TestRule_AfterAndTimes_ChooseTheCalls(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	u.fails("{after: 2, times: 1, fault: internal-error}")
	if got := u.statuses(4, "t", deepwiki); !slices.Equal(got, []int{201, 201, 500, 201}) {
		t.Errorf("statuses %v", got)
	}
}

func TestRules_FirstThatStrikes_Decides(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	u.fails("{times: 1, fault: internal-error}, {times: 1, fault: bad-gateway}")
	if got := u.statuses(3, "t", deepwiki); !slices.Equal(got, []int{500, 502, 201}) {
		t.Errorf("statuses %v", got)
	}
	for _, row := range []struct{ name, want string }{{"rule-1", `"matched":3,"struck":1`}, {"rule-2", `"matched":2,"struck":1`}} {
		if body := u.control(200, "GET", "faults", "").body; !strings.Contains(body, `{"name":"`+row.name+`","times":1,"fault":"`) || !strings.Contains(body, row.want) {
			t.Errorf("%s: no %s in %s", row.name, row.want, body)
		}
	}
}

func TestRule_SameName_TakesThePlace(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	u.fails("{name: a, times: 1, fault: internal-error}, {name: b, fault: bad-gateway}")
	u.fails("{name: a, times: 1, fault: unavailable}")
	if got := u.statuses(2, "t", deepwiki); !slices.Equal(got, []int{503, 502}) {
		t.Errorf("statuses %v", got)
	}
	u.control(204, "DELETE", "faults/b", "")
	if got := u.statuses(1, "t", deepwiki); !slices.Equal(got, []int{201}) {
		t.Errorf("statuses %v", got)
	}
}

func TestRule_OneIn_IsChosenBySeed(t *testing.T) {
	t.Parallel()
	run := func(seed int64) []int {
		u := start(t, emulator.Options{Control: true, Seed: seed})
		u.fails("{one_in: 10, fault: internal-error}")
		first := u.statuses(200, "t", nobody) // 404, where the rule does not strike
		u.control(204, "POST", "reset", "")
		u.fails("{one_in: 10, fault: internal-error}")
		if again := u.statuses(200, "t", nobody); !slices.Equal(again, first) {
			t.Error("after a reset other calls were struck")
		}
		return first
	}
	one, two := run(1), run(2)
	struck := 0
	for _, status := range one {
		if status == 500 {
			struck++
		}
	}
	if struck < 10 || struck > 35 {
		t.Errorf("%d of 200 were struck", struck)
	}
	if slices.Equal(one, two) {
		t.Error("another seed strikes the same calls")
	}
}

// For as long as Retry-After says, no call passes; then one does. The clock is moved, and nobody waits.
func TestRule_For_RefusesUntilRetryAfterHasPassed(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	u.control(200, "POST", "clock", "frozen: true")
	u.fails("{times: 1, for: 3s, fault: rate-limited}")
	retryAfter := func(want string) {
		t.Helper()
		if got := u.copy("t", deepwiki, `{}`); got.status != 429 || got.header.Get("Retry-After") != want {
			t.Errorf("got %d, Retry-After %q, want %q", got.status, got.header.Get("Retry-After"), want)
		}
	}
	retryAfter("3")
	u.Advance(1500 * time.Millisecond)
	retryAfter("2")
	u.Advance(1499 * time.Millisecond)
	retryAfter("1")
	u.control(200, "POST", "clock", "advance: 1ms")
	u.copied("t", deepwiki, `{}`)
}

func TestRule_Response_IsSentAsGiven(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	for rule, want := range map[string]struct {
		status            int
		kind, retry, body string
	}{
		"status: 409, error_code: DUPLICATE_FIELD, message: There is one":                   {409, "application/json", "", `{"status":"error","error_code":"DUPLICATE_FIELD","message":"There is one"}`},
		"status: 503, retry_after: 7, body: [1, 2.5, {a: null}]":                            {503, "application/json", "7", `[1,2.5,{"a":null}]`},
		"status: 504, body: <html>, headers: {content-type: text/html, Retry-After: 'Thu'}": {504, "text/html", "Thu", `<html>`},
		"status: 200, body: {id: null}":                                                     {200, "application/json", "", `{"id":null}`},
		"status: 500, body: gone":                                                           {500, "text/plain; charset=utf-8", "", `gone`},
		"status: 502":                                                                       {502, "application/json", "", ``},
	} {
		u.control(204, "DELETE", "faults", "")
		u.fails("{response: {" + rule + "}}")
		got := u.copy("t", deepwiki, `{}`)
		if got.status != want.status || got.header.Get("Content-Type") != want.kind || got.header.Get("Retry-After") != want.retry || got.body != want.body {
			t.Errorf("%s: %d %v %q", rule, got.status, got.header, got.body)
		}
	}
	if n := len(u.Integrations("t")); n != 0 {
		t.Errorf("%d integrations", n)
	}
}

func TestRule_Commit_DoesTheWorkFirst(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	u.fails("{commit: true, response: {status: 504, body: <html>}, match: {token: a}}, {commit: true, fault: rate-limited, match: {token: b}}")
	if got := u.statuses(1, "a", deepwiki); got[0] != 504 || len(u.Integrations("a")) != 1 {
		t.Errorf("%v, %d integrations", got, len(u.Integrations("a")))
	}
	if got := u.statuses(1, "b", deepwiki); got[0] != 429 || len(u.Integrations("b")) != 1 {
		t.Errorf("%v, %d integrations", got, len(u.Integrations("b")))
	}
	if got := u.statuses(1, "a", nobody); got[0] != 404 {
		t.Errorf("the work fails by itself: %v", got)
	}
}

func TestRule_CommitThenHang_CallerGivesUp_WorkIsDone(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	u.fails("{commit: true, fault: hang}")
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := u.try(u.request("t", "POST", "/v1/integration/template/"+deepwiki+"/copy", `{}`).WithContext(ctx))
		failed <- err
	}()
	u.control(200, "GET", "calls?count=1&within=1m", "")
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := len(u.Integrations("t")); n != 1 {
		t.Errorf("%d integrations", n)
	}
}

func TestRule_FromGo_IsTheSame(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	delay, err := emulator.ParseLatency("p0=1us,p100=2us")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []emulator.Rule{
		{Name: "a", Match: emulator.Match{Operation: "copy_template", TemplateID: deepwiki, Token: "t", Name: "n"}, After: 1, Times: 2, OneIn: 1, For: time.Second, Delay: delay, Fault: "rate-limited", Commit: true},
		{Response: &emulator.Response{Status: 418, Body: "x", Header: map[string]string{"A": "b", "C": "d"}}},
		{Response: &emulator.Response{Status: 500, ErrorCode: "E", Message: "m"}, Match: emulator.Match{IntegrationID: nobody, ToolID: nobody}},
	} {
		if err := u.Fail(r); err != nil {
			t.Error(err)
		}
	}
	want := `{"faults":[{"name":"a","match":{"operation":"copy_template","template_id":"` + deepwiki + `","name":"n","token_sha256":"e3b98a4da31a127d4bde6e43033f66ba274cab0eb7eb1c70ec41402bf6273dd8"},` +
		`"after":1,"times":2,"one_in":1,"for":"1s","delay":"p0=1µs,p100=2µs","fault":"rate-limited","commit":true,"matched":0,"struck":0},` +
		`{"name":"rule-1","response":{"status":418,"body":"x","headers":{"A":"b","C":"d"}},"matched":0,"struck":0},` +
		`{"name":"rule-2","match":{"integration_id":"` + nobody + `","tool_id":"` + nobody + `"},"response":{"status":500,"error_code":"E","message":"m","headers":{}},"matched":0,"struck":0}]}`
	wantControl(t, u.control(200, "GET", "faults", ""), 200, want)
	err = u.Fail(emulator.Rule{Match: emulator.Match{Operation: "copy"}, Fault: "hang"})
	if err == nil || !strings.HasPrefix(err.Error(), "faults.0.match.operation: Input should be 'list_templates'") {
		t.Errorf("got %v", err)
	}
}

func TestDelays_ArePartOfTheResponseTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		latency, err := emulator.ParseLatency("p0=1s,p100=3s")
		if err != nil {
			t.Fatal(err)
		}
		e := emulator.New(emulator.Options{Latency: latency, Seed: 1})
		if err := e.Fail(emulator.Rule{Match: emulator.Match{Token: "slow"}, Delay: emulator.Constant(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		took := func(token string) time.Duration {
			began := time.Now()
			r := httptest.NewRequest(http.MethodGet, "/v1/integration", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			e.ServeHTTP(httptest.NewRecorder(), r)
			return time.Since(began)
		}
		var sum time.Duration
		for range 100 {
			d := took("t")
			if d < time.Second || d > 3*time.Second {
				t.Errorf("took %v", d)
			}
			sum += d
		}
		if sum < 170*time.Second || sum > 230*time.Second {
			t.Errorf("100 responses took %v", sum)
		}
		if d := took("slow"); d < 61*time.Second || d > 63*time.Second {
			t.Errorf("the slow one took %v", d)
		}
	})
}

func TestRules_ConcurrentCalls_StrikeExactlySoManyTimes(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	u.fails("{times: 10, fault: internal-error}")
	results := make(chan int, 40)
	for i := range 40 {
		go func() {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodPost, "/v1/integration/template/"+deepwiki+"/copy", bytes.NewBufferString(`{}`))
			r.Header.Set("Authorization", "Bearer "+strconv.Itoa(i))
			u.ServeHTTP(w, r)
			results <- w.Code
		}()
	}
	struck := 0
	for range 40 {
		if <-results == 500 {
			struck++
		}
	}
	if struck != 10 {
		t.Errorf("%d calls were struck", struck)
	}
	if n := u.counted("status=500"); n != 10 {
		t.Errorf("the journal has %d", n)
	}
}

// A rule's description of itself is a rule.
func TestRules_EveryFault_CanBeNamed(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{Control: true, Drip: time.Millisecond})
	for _, f := range emulator.Faults() {
		u.fails(fmt.Sprintf("{fault: %s, match: {token: %[1]s}}", f.Name))
	}
	for _, f := range emulator.Faults() {
		if f.Name == "hang" {
			continue
		}
		_, _ = u.try(u.request(f.Name, "POST", "/v1/integration", `{"name":"n","base_url":"b","integration_type":"HTTP"}`))
		calls, err := u.Calls(emulator.Match{Token: f.Name})
		if err != nil || len(calls) != 1 || calls[0].Fault != f.Name {
			t.Errorf("%s: %+v %v", f.Name, calls, err)
		}
		want := f.Commits && f.Name != "unavailable-once"
		if got := len(u.Integrations(f.Name)) == 1; got != want {
			t.Errorf("%s: an integration was made: %v", f.Name, got)
		}
	}
}
