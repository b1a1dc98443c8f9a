package emulator_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/server/emulator"
)

// control calls a control route and wants the status.
func (u *upstream) control(status int, method, path, body string) reply {
	u.t.Helper()
	got := u.call("", method, "/_emulator/"+path, body)
	if got.status != status {
		u.t.Fatalf("%s %s: %d %s, want %d", method, path, got.status, got.body, status)
	}
	return got
}

// wantControl is [wantReply] for a control route, whose responses end their line.
func wantControl(t *testing.T, got reply, status int, body string) {
	t.Helper()
	wantReply(t, got, status, body+"\n")
}

// counted returns how many calls a query finds.
func (u *upstream) counted(query string) int {
	u.t.Helper()
	return int(u.control(200, "GET", "calls?"+query, "").field(u.t, "count").(float64))
}

func controlled(t *testing.T) *upstream {
	t.Helper()
	return start(t, emulator.Options{Control: true, Seed: 1})
}

func TestControl_NotAskedFor_IsNotThereAndSaysHowToHaveIt(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	for _, path := range []string{"state", "calls", "faults", "clock", "settings", "nothing"} {
		wantReply(t, u.call("", "GET", "/_emulator/"+path, ""), 404, `{"error":"the emulator has no control routes; --control, in Go Options.Control, gives it some"}`+"\n")
	}
	u.call("", "POST", "/_emulator/settings", "strict: true")
	if u.Settings().Strict {
		t.Error("a route that is not there changed the settings")
	}
	if calls, err := u.Calls(emulator.Match{}); calls != nil || err != nil {
		t.Errorf("calls were kept: %v %v", calls, err)
	}
}

func TestControl_WrongRequests_AreRefusedWithWhatIsWrong(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	for _, row := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "nothing", "", 404, "there is no such route below /_emulator/"},
		{"GET", "", "", 404, "there is no such route below /_emulator/"},
		{"DELETE", "state", "", 405, "this route takes GET, PUT, POST"},
		{"POST", "reset", "{}", 400, "this route takes no body"},
		{"POST", "reset?who=t", "", 400, "query.who: Extra inputs are not permitted, only token"},
		{"PUT", "state", "a: [", 400, "yaml: line 1: did not find expected node content"},
		{"PUT", "state", "a: 1\na: 2", 400, `line 2: the key "a" is there twice`},
		{"PUT", "state", "faults: []\n---\nfaults: []", 400, "there is more than one YAML document, or something after it that is no YAML"},
		{"PUT", "state", "faults: []\n...\n]", 400, "there is more than one YAML document, or something after it that is no YAML"},
		{"PUT", "state", "x", 400, "Input should be a valid dictionary or object to extract fields from"},
		{"PUT", "state", "template: []", 400, "template: Extra inputs are not permitted, only templates, accounts, faults, latency, strict"},
		{"POST", "clock", "{a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1, j: 1, k: 1, l: 1}", 400,
			strings.Join(unknown("abcdefghij", ", only now, advance, frozen"), "; ")},
		{"PUT", "state", "templates: [{id: 1}]", 400, "templates.0.id: UUID input should be a string, bytes or UUID object; templates.0.name: Field required; templates.0.template: Field required"},
		{"PUT", "state", "templates: [{id: " + nobody + ", name: n, template: {base_url: b, tools: [{name: t}]}}]", 400,
			"templates.0.template.tools.0.description: Field required; templates.0.template.tools.0.endpoint_path: Field required; templates.0.template.tools.0.method: Field required"},
		{"PUT", "state", "accounts: [{integrations: []}]", 400, "accounts.0.token: Field required"},
		{"PUT", "state", "accounts: [{token_sha256: abc}]", 400, "accounts.0.token_sha256: Input should be a SHA-256 digest of 64 hexadecimal digits"},
		{"PUT", "state", "accounts: [{token: hunter2, integrations: [{name: hunter2, base_url: hunter2, created_at: hunter2}]}]", 400,
			"accounts.0.integrations.0.created_at: Input should be a time in the form of RFC 3339, such as 2026-01-31T08:00:00Z"},
		{"PUT", "state", "accounts: [{token: t, integrations: [{name: n, base_url: b, tools: [{name: t, type: MCP}]}]}]", 400,
			"accounts.0.integrations.0.tools.0.type: Input should be 'HTTP'; accounts.0.integrations.0.tools.0.description: Field required; " +
				"accounts.0.integrations.0.tools.0.endpoint_path: Field required; accounts.0.integrations.0.tools.0.method: Field required"},
		{"PUT", "state", "latency: 20", 400, "latency: Input should be a duration such as 20ms, or percentiles such as p50=20ms,p99=800ms"},
		{"POST", "faults", "{}", 400, "faults: Field required"},
		{"POST", "faults", "faults: [{}]", 400, "faults.0: A rule has a fault, a response or a delay"},
		{"POST", "faults", "faults: [{fault: rate-limited, response: {status: 500}}]", 400, "faults.0: A rule has a fault or a response, not both"},
		{"POST", "faults", "faults: [{fault: truncated, commit: true}]", 400, "faults.0.commit: The work is done in any case"},
		{"POST", "faults", "faults: [{delay: 1s, commit: true}]", 400, "faults.0.commit: The work is done in any case"},
		{"POST", "faults", "faults: [{delay: 1s, times: 0}]", 400, "faults.0.times: Input should be greater than or equal to 1"},
		{"POST", "faults", `faults: [{delay: 1s, times: "2"}]`, 400, "faults.0.times: Input should be a valid integer"},
		{"POST", "faults", "faults: [{delay: 1s, for: 3}]", 400, "faults.0.for: Input should be a duration, such as 1.5s or 2m"},
		{"POST", "faults", "faults: [{fault: none}]", 400, "faults.0.fault: Input should be 'rate-limited', 'internal-error', 'bad-gateway', 'unavailable', " +
			"'hang', 'reset-before-commit', 'reset-after-commit', 'slow-drip', 'truncated', 'drift', 'poor' or 'unavailable-once'"},
		{"POST", "faults", "faults: [{fault: hang, match: {template: x}}]", 400, "faults.0.match.template: Extra inputs are not permitted, only operation, template_id, integration_id, tool_id, name, token, token_sha256"},
		{"POST", "faults", "faults: [{response: {status: 99}}]", 400, "faults.0.response.status: Input should be greater than or equal to 200"},
		{"POST", "faults", "faults: [{response: {status: 500, error_code: A, body: b}}]", 400, "faults.0.response: A response has a body or an error_code, not both"},
		{"POST", "faults", "faults: [{response: {status: 500, headers: {Content-Length: '3'}}}]", 400, "faults.0.response.headers.Content-Length: No header has this name"},
		{"POST", "faults", `faults: [{response: {status: 500, headers: {A: "b\nc"}}}]`, 400, "faults.0.response.headers.A: Input should be a valid string, without control characters"},
		{"POST", "faults", "faults: [{response: {status: 500, body: " + strings.Repeat("x", 64<<10+1) + "}}]", 400, "faults.0.response.body: A body has at most 65536 bytes"},
		{"DELETE", "faults/none", "", 404, "no rule has this name"},
		{"GET", "calls?operation=copy", "", 400, "query.operation: Input should be 'list_templates', 'get_template', 'copy_template', 'list_integrations', " +
			"'create_integration', 'get_integration', 'update_integration', 'delete_integration', 'create_tool', 'list_tools', 'get_tool', 'update_tool', 'delete_tool' or 'approve_tools'"},
		{"GET", "calls?count=1&at_least=1", "", 400, "count: not together with at_least and at_most"},
		{"GET", "calls?count=1&within=2m", "", 400, "within: at most 1m0s"},
		{"GET", "calls?at_most=1&within=2s", "", 400, "within: only together with count or at_least"},
		{"GET", "state?format=xml", "", 400, "query.format: Input should be 'json' or 'yaml'"},
		{"POST", "clock", "now: yesterday", 400, "now: Input should be a time in the form of RFC 3339, such as 2026-01-31T08:00:00Z"},
		{"POST", "clock", "advance: -1s", 400, "advance: Input should be a duration, such as 1.5s or 2m"},
		{"POST", "settings", "strict: 1", 400, "strict: Input should be a valid boolean"},
	} {
		got := u.call("", row.method, "/_emulator/"+row.path, row.body)
		if got.status != row.status || got.field(t, "error") != row.want {
			t.Errorf("%s %s %.100s: %d %s\nwant %d %s", row.method, row.path, row.body, got.status, got.body, row.status, row.want)
		}
	}
	if n := u.Requests(); n != 0 {
		t.Errorf("%d control calls count as requests to Diga", n)
	}
}

// unknown returns what is said about fields of one letter.
func unknown(letters, known string) []string {
	var list []string
	for _, letter := range letters {
		list = append(list, string(letter)+": Extra inputs are not permitted"+known)
	}
	return list
}

func TestControl_PageOfAnotherOrigin_IsRefused(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	r := u.request("", "POST", "/_emulator/reset", "")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if got := u.send(r); got.status != http.StatusForbidden {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestControl_LargeBody_IsRefused(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	if got := u.call("", "PUT", "/_emulator/state", strings.Repeat(" ", 16<<20+1)); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

const orders = "11111111-1111-4111-8111-111111111111"

// scenario is a state in YAML with everything in it.
const scenario = `
templates:
- id: ` + orders + `
  name: Orders
  language: en
  template:
    auth_type: API_KEY
    note: {not: known}
    base_url: https://<<shop>>.example.com
    headers: {X-Shop: "<<shop>>"}
    tools:
    - name: find
      description: Finds an order.
      endpoint_path: /orders/{id}
      method: GET
      path: [{name: id}]
accounts:
- token: t
  integrations:
  - id: 22222222-2222-4222-8222-222222222222
    name: Old
    base_url: https://old.example.com
    auth_key: k
    created_at: 2026-01-31T08:00:00Z
    tools:
    - id: 33333333-3333-4333-8333-333333333333
      name: ping
      description: Asks whether it is there.
      endpoint_path: /ping
      method: GET
  - name: Server
    base_url: https://mcp.example.com
    integration_type: MCP
    tools:
    - name: search
      parameters: {type: object}
faults:
- match: {operation: copy_template, template_id: ` + orders + `}
  times: 1
  fault: rate-limited
`

func TestState_Put_ReplacesEverything(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	u.copied("t", deepwiki, `{}`)
	u.copied("other", deepwiki, `{}`)
	u.control(204, "PUT", "state", scenario)

	if n := len(u.Integrations("other")); n != 0 {
		t.Errorf("another token still has %d integrations", n)
	}
	have := u.Integrations("t")
	if len(have) != 2 || have[0].ID != "22222222-2222-4222-8222-222222222222" || have[0].Tools[0].ID != "33333333-3333-4333-8333-333333333333" ||
		have[0].AuthType != "API_KEY" || have[0].RequiresSetup || !have[0].CreatedAt.Equal(time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)) ||
		have[1].ID == "" || have[1].Tools[0].Type != "MCP" || have[1].Tools[0].ID == "" {
		t.Errorf("seeded %+v", have)
	}
	var names []string
	for _, template := range u.list("t", "/v1/integration/template?language=en").Data {
		names = append(names, template.ID)
	}
	if !slices.Equal(names, []string{orders}) || len(u.list("t", "/v1/integration/template").Data) != 0 {
		t.Errorf("templates %q", names)
	}
	if got := u.copy("t", orders, `{}`); got.status != 429 {
		t.Errorf("the rule did not strike: %d", got.status)
	}
	u.copied("t", orders, `{"variables":{"shop":"acme"},"api_key":"k"}`)
	made := u.Integrations("t")[2]
	if made.BaseURL != "https://acme.example.com" || made.Headers["X-Shop"] != "acme" || made.RequiresSetup || made.Tools[0].EndpointPath != "/orders/{id}" {
		t.Errorf("copied %+v", made)
	}
	if n := u.counted(""); n != 4 {
		t.Errorf("%d calls since the state was put", n)
	}
}

func TestState_Post_AddsAndReplacesByID(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	first := u.copied("t", deepwiki, `{}`)
	builtIn := len(u.Templates())
	for range 2 {
		u.control(204, "POST", "state", scenario)
	}
	if n := len(u.Templates()); n != builtIn+1 {
		t.Errorf("%d templates, want the %d built in and one more", n, builtIn)
	}
	have := u.Integrations("t")
	// The one without an id is another one each time.
	if len(have) != 4 || have[0].ID != first || have[1].Name != "Old" || have[2].Name != "Server" || have[3].Name != "Server" || have[2].ID == have[3].ID {
		t.Errorf("integrations %+v", have)
	}
}

func TestState_Post_PastALimit_ChangesNothing(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]emulator.Options{
		"integrations of one token": {MaxIntegrations: 1},
		"tokens":                    {MaxTokens: 1},
		"data":                      {MaxBytes: 1000},
	} {
		o.Control = true
		u := start(t, o)
		u.copied("other", deepwiki, `{}`)
		got := u.control(409, "POST", "state", scenario)
		if got.field(t, "error") != "the emulator keeps no more "+name {
			t.Errorf("%s: %s", name, got.body)
		}
		if len(u.Integrations("t")) != 0 || strings.Contains(u.control(200, "GET", "faults", "").body, "rate-limited") {
			t.Errorf("%s: a part was added", name)
		}
	}
}

func TestState_TooManyRules_AreRefused(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	got := u.control(409, "POST", "faults", `{"faults":[`+strings.TrimSuffix(strings.Repeat(`{"fault":"hang"},`, 1001), ",")+`]}`)
	if got.field(t, "error") != "an emulator has at most 1000 rules" {
		t.Errorf("got %s", got.body)
	}
}

// A snapshot in either form makes another emulator that is the same.
func TestState_Get_IsWhatPutTakes(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	u.control(204, "PUT", "state", scenario)
	u.control(204, "POST", "settings", "{latency: 'p50=0s,p100=1ms', strict: true}")
	u.control(204, "POST", "faults", `faults: [{name: own, after: 1, one_in: 2, for: 3s, delay: 1ms, commit: true, match: {token: t, name: n},
		response: {status: 503, error_code: E, message: m, retry_after: 2, headers: {A: b}}}]`)
	u.call("t", "PATCH", "/v1/integration/22222222-2222-4222-8222-222222222222", `{"description":"1","auth_key":null,"headers":{"a":"null"}}`)
	before := u.control(200, "GET", "state", "").body
	if strings.Contains(before, `"token":`) || !strings.Contains(before, `"token_sha256":"e3b98a4da31a127d4bde6e43033f66ba274cab0eb7eb1c70ec41402bf6273dd8"`) {
		t.Errorf("a token is not there as its digest: %s", before)
	}
	if !strings.Contains(before, `"note":{"not":"known"}`) {
		t.Errorf("a template lost what the emulator does not know: %s", before)
	}
	for _, format := range []string{"json", "yaml"} {
		snapshot := u.control(200, "GET", "state?format="+format, "").body
		other := controlled(t)
		other.control(204, "PUT", "state", snapshot)
		if after := other.control(200, "GET", "state", "").body; after != before {
			t.Errorf("%s:\n%s\nbecame\n%s", format, before, after)
		}
		if u.call("t", "GET", "/v1/integration", "").body != other.call("t", "GET", "/v1/integration", "").body {
			t.Errorf("%s: the integrations are others", format)
		}
	}
}

// An id that a snapshot has is not given again.
func TestState_Put_LaterIDsAreNew(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	seen := []string{u.copied("t", holidays, `{}`), u.copied("t", holidays, `{}`)}
	u.control(204, "PUT", "state", u.control(200, "GET", "state", "").body)
	for range 3 {
		id := u.copied("t", holidays, `{}`)
		if slices.Contains(seen, id) {
			t.Errorf("%s was given twice", id)
		}
		seen = append(seen, id)
	}
}

func TestReset_GoesBackToTheStart(t *testing.T) {
	t.Parallel()
	state, err := emulator.ParseState([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	u := start(t, emulator.Options{Control: true, State: state, Seed: 3})
	start := u.control(200, "GET", "state", "").body
	run := func() string {
		u.copy("t", orders, `{}`)
		return u.copied("t", orders, `{}`) + u.copied("new", orders, `{}`)
	}
	first := run()
	u.control(204, "POST", "faults", "faults: [{fault: internal-error}]")
	u.control(204, "POST", "settings", "{latency: 1ms, strict: true}")
	u.control(200, "POST", "clock", "{advance: 1h, frozen: true}")
	u.control(204, "POST", "reset", "")
	if got := u.control(200, "GET", "state", "").body; got != start {
		t.Errorf("after the reset\n%s\nand at the start\n%s", got, start)
	}
	if n := u.counted(""); n != 0 {
		t.Errorf("%d calls are left", n)
	}
	wantControl(t, u.control(200, "GET", "clock", ""), 200, `{"now":"2026-11-23T20:02:11.123456Z","frozen":false}`)
	if again := run(); again != first {
		t.Errorf("the ids are %s, and were %s", again, first)
	}
}

func TestReset_OfOneToken_LeavesOthers(t *testing.T) {
	t.Parallel()
	state, err := emulator.ParseState([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	u := start(t, emulator.Options{Control: true, State: state})
	u.control(204, "POST", "faults", "faults: [{name: a, match: {token: t}, delay: 1ms}, {name: b, match: {token: u}, delay: 1ms}, {name: c, delay: 1ms}]")
	if got := u.copy("spend", orders, `{}`); got.status != http.StatusTooManyRequests { // the rule of the scenario
		t.Fatalf("got %d", got.status)
	}
	first := u.copied("t", orders, `{"name":"one"}`)
	u.copied("u", orders, `{}`)
	u.control(204, "POST", "reset?token=t", "")
	if have := u.Integrations("t"); len(have) != 2 || have[0].Name != "Old" {
		t.Errorf("t has %+v", have)
	}
	if n := len(u.Integrations("u")); n != 1 {
		t.Errorf("u has %d integrations", n)
	}
	if u.counted("token=t") != 0 || u.counted("token=u") != 1 {
		t.Errorf("%d and %d calls", u.counted("token=t"), u.counted("token=u"))
	}
	rules := u.control(200, "GET", "faults", "").body
	if strings.Contains(rules, `"a"`) || !strings.Contains(rules, `"b"`) || !strings.Contains(rules, `"c"`) {
		t.Errorf("rules %s", rules)
	}
	if again := u.copied("t", orders, `{"name":"one"}`); again != first {
		t.Errorf("the id is %s, and was %s", again, first)
	}
}

func TestClock_Moves_TimesOfIntegrations(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	u.control(200, "POST", "clock", "{now: 2030-01-02T03:04:05Z, frozen: true}")
	created := func() string { return u.copy("t", deepwiki, `{}`).field(t, "created_at").(string) }
	if got := created(); got != "2030-01-02T03:04:05Z" {
		t.Errorf("created at %s", got)
	}
	wantControl(t, u.control(200, "POST", "clock", "advance: 90s"), 200, `{"now":"2030-01-02T03:05:35Z","frozen":true}`)
	u.Advance(time.Second)
	if got := created(); got != "2030-01-02T03:05:36Z" {
		t.Errorf("created at %s", got)
	}
	wantControl(t, u.control(200, "POST", "clock", "frozen: false"), 200, `{"now":"2030-01-02T03:05:36Z","frozen":false}`)
}

func TestClock_TooFarFromTheRealTime_IsRefusedAndNotMoved(t *testing.T) {
	t.Parallel()
	const bound = "the clock can be at most 290 years from the real time: from 1736-11-23 to 2316-11-23"
	u := controlled(t)
	for body, want := range map[string]string{
		"now: 2316-11-24T00:00:00Z":                      "now: " + bound,
		"now: 9999-12-31T00:00:00Z":                      "now: " + bound,
		"{now: 0001-01-01T00:00:00Z, frozen: true}":      "now: " + bound,
		"{now: 2316-11-23T00:00:00Z, advance: 24h}":      "advance: " + bound,
		"{now: 2027-01-01T00:00:00Z, advance: 2562000h}": "advance: " + bound,
	} {
		if got := u.call("", "POST", "/_emulator/clock", body); got.status != 400 || got.field(t, "error") != want {
			t.Errorf("%s: %d %s, want %s", body, got.status, got.body, want)
		}
		wantControl(t, u.control(200, "GET", "clock", ""), 200, `{"now":"2026-11-23T20:02:11.123456Z","frozen":false}`)
	}
	wantControl(t, u.control(200, "POST", "clock", "now: 2316-11-23T00:00:00Z"), 200, `{"now":"2316-11-23T00:00:00Z","frozen":false}`)
	wantControl(t, u.control(200, "POST", "clock", "now: 1736-11-24T00:00:00Z"), 200, `{"now":"1736-11-24T00:00:00Z","frozen":false}`)
}

func TestSettings_Latency_IsThatOfLaterCalls(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	wantControl(t, u.control(200, "GET", "settings", ""), 200, `{"latency":"0s","strict":false}`)
	u.control(204, "POST", "settings", "latency: p50=1ms,p100=2ms")
	wantControl(t, u.control(200, "GET", "settings", ""), 200, `{"latency":"p50=1ms,p100=2ms","strict":false}`)
	u.control(204, "POST", "settings", "strict: true")
	wantControl(t, u.control(200, "GET", "settings", ""), 200, `{"latency":"p50=1ms,p100=2ms","strict":true}`)
}

func TestCalls_ShowWhatWasSent(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	r := u.request("secret-token", "POST", "/v1/integration/template/"+shopify+"/copy?x=1", `{"name":"n","variables":{"n":12345678901234567890}}`)
	r.Header.Set("X-Trace", "1")
	u.send(r)
	u.call("t", "POST", "/v1/nothing", "{")
	u.call("t", "PUT", "/v1/integration", "")
	u.copy("t", shopify, `{"name":1}`)
	u.call("t", "GET", "/v1/integration/template/{"+shopify+"}", "")
	u.copy("t", deepwiki, `no JSON`)
	body := u.control(200, "GET", "calls", "").body
	if strings.Contains(body, "secret-token") || strings.Contains(body, "Authorization") {
		t.Errorf("a token is in %s", body)
	}
	if !strings.Contains(body, `"body":{"name":"n","variables":{"n":12345678901234567890}}`) || !strings.Contains(body, `"text":"no JSON"`) {
		t.Errorf("bodies as they were sent are not in %s", body)
	}
	var got struct {
		Count int
		Calls []struct {
			Number                             int
			At, Method, Path, Query, Operation string
			TemplateID                         string            `json:"template_id"`
			TokenSHA256                        string            `json:"token_sha256"`
			Headers                            map[string]string `json:"headers"`
			Status                             int
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Count != 6 || len(got.Calls) != 6 {
		t.Fatalf("got %s", body)
	}
	c := got.Calls[0]
	if c.Number != 1 || c.At != "2026-11-23T20:02:11.123456Z" || c.Method != http.MethodPost || c.Path != "/v1/integration/template/"+shopify+"/copy" || c.Query != "x=1" ||
		c.Operation != "copy_template" || c.TemplateID != shopify || len(c.TokenSHA256) != 64 || c.Headers["X-Trace"] != "1" || c.Status != 201 {
		t.Errorf("got %+v", c)
	}
	var statuses []int
	var operations []string
	for _, c := range got.Calls {
		statuses, operations = append(statuses, c.Status), append(operations, c.Operation)
	}
	if !slices.Equal(statuses, []int{201, 404, 405, 422, 200, 422}) || !slices.Equal(operations, []string{"copy_template", "", "", "copy_template", "get_template", "copy_template"}) {
		t.Errorf("statuses %v, operations %q", statuses, operations)
	}
}

func TestCalls_AreFoundByEveryField(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	id := u.copied("t", holidays, `{"name":"a b"}`)
	tool := u.Integrations("t")[0].Tools[0].ID
	u.call("u", "GET", "/v1/integration/"+id, "")
	u.call("t", "DELETE", "/v1/integration/"+id+"/tool/"+tool, "")
	for query, want := range map[string]int{
		"":                           3,
		"operation=copy_template":    1,
		"template_id=" + holidays:    1,
		"template_id=" + deepwiki:    0,
		"integration_id=" + id:       2,
		"tool_id=" + tool:            1,
		"name=a%20b":                 1,
		"token=t":                    2,
		"token=t&operation=get_tool": 0,
		"status=404":                 1,
		"token_sha256=e3b98a4da31a127d4bde6e43033f66ba274cab0eb7eb1c70ec41402bf6273dd8": 2,
	} {
		if got := u.counted(query); got != want {
			t.Errorf("%s: %d calls, want %d", query, got, want)
		}
	}
	calls, err := u.Calls(emulator.Match{Operation: "copy_template", TemplateID: holidays, Token: "t", Name: "a b"})
	if err != nil || len(calls) != 1 || string(calls[0].Body) != `{"name":"a b"}` {
		t.Errorf("%+v %v", calls, err)
	}
	if _, err := u.Calls(emulator.Match{Operation: "copy"}); err == nil {
		t.Error("there was no error about an operation that does not exist")
	}
	u.control(204, "DELETE", "calls?token=t", "")
	if n := u.counted(""); n != 1 {
		t.Errorf("%d calls are left", n)
	}
	u.control(204, "DELETE", "calls", "")
	if n := u.counted(""); n != 0 {
		t.Errorf("%d calls are left", n)
	}
}

func TestCalls_OtherNumberThanExpected_Is409(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	u.copied("t", deepwiki, `{}`)
	u.copied("t", deepwiki, `{}`)
	for _, query := range []string{"count=2", "at_least=2", "at_most=2", "at_least=1&at_most=3", "token=u&count=0"} {
		u.control(200, "GET", "calls?"+query, "")
	}
	for query, want := range map[string]string{
		"count=1":            "expected 1 calls, got 2",
		"at_least=3":         "expected at least 3 calls, got 2",
		"at_most=1":          "expected at most 1 calls, got 2",
		"token=u&count=1":    "expected 1 calls, got 0",
		"count=3&within=1ms": "expected 3 calls, got 2",
	} {
		got := u.control(409, "GET", "calls?"+query, "")
		if got.field(t, "error") != want || got.field(t, "calls") == nil {
			t.Errorf("%s: %s", query, got.body)
		}
	}
}

func TestCalls_Within_WaitsForTheCall(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	done := make(chan reply)
	go func() {
		got, err := u.try(u.request("", "GET", "/_emulator/calls?count=2&within=1m", ""))
		if err != nil {
			t.Error(err)
		}
		done <- got
	}()
	u.copied("t", deepwiki, `{}`)
	select {
	case got := <-done:
		t.Fatalf("it did not wait: %s", got.body)
	default:
	}
	u.copied("t", deepwiki, `{}`)
	if got := <-done; got.status != 200 || got.field(t, "count") != 2.0 {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestCalls_Within_EmulatorCloses_Ends(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	u.Close()
	u.control(409, "GET", "calls?count=1&within=1m", "")
}

func TestCalls_MoreThanAreKept_AreCountedAsDropped(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	r := u.request("t", "GET", "/v1/nothing", "")
	for range 10_003 {
		u.ServeHTTP(nowhere{}, r)
	}
	got := u.control(200, "GET", "calls", "")
	if got.field(t, "count") != 10_000.0 || got.field(t, "dropped") != 3.0 || len(got.field(t, "calls").([]any)) != 1000 {
		t.Errorf("count %v, dropped %v", got.field(t, "count"), got.field(t, "dropped"))
	}
	got = u.control(409, "GET", "calls?at_least=1", "")
	u.control(204, "DELETE", "calls", "")
	u.control(200, "GET", "calls?count=0", "")
	if got.field(t, "error") != "the oldest 3 calls were dropped to make room, so the number is not known" {
		t.Errorf("got %v", got.field(t, "error"))
	}
}

func TestCalls_LargeBodies_AreDroppedEarlier(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	body := strings.Repeat("x", 1<<20)
	for range 2 {
		for range 70 {
			u.ServeHTTP(nowhere{}, u.request("t", "GET", "/v1/integration", body))
		}
		calls, err := u.Calls(emulator.Match{})
		if err != nil || len(calls) != 63 {
			t.Errorf("%d calls of a MiB are kept, %v", len(calls), err)
		}
		u.control(204, "DELETE", "calls", "")
	}
}

func TestCalls_Within_CallerLeaves_Ends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := emulator.New(emulator.Options{Control: true})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/_emulator/calls?count=1&within=1m", nil).WithContext(ctx))
		if took := time.Since(began); took != 0 {
			t.Errorf("it waited for %v", took)
		}
	})
}

// What a state had, and what was there before, leaves its room to others.
func TestState_RoomIsGivenBack(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{Control: true, MaxBytes: 10_000})
	large := "accounts: [{token: t, integrations: [{id: " + nobody + ", name: " + strings.Repeat("x", 4000) + ", base_url: b}]}]"
	for range 10 {
		u.control(204, "POST", "state", large) // in place of the one before
		u.control(204, "POST", "reset?token=t", "")
		u.control(204, "POST", "state", large)
	}
	second := "accounts: [{token: u, integrations: [{name: " + strings.Repeat("x", 4000) + ", base_url: b}]}]"
	u.control(204, "POST", "state", second)
	if got := u.call("t", "POST", "/v1/integration", `{"name":"`+strings.Repeat("x", 4000)+`","base_url":"b","integration_type":"HTTP"}`); got.status != 429 {
		t.Errorf("there was room for a third one: %d", got.status)
	}
	u.control(204, "PUT", "state", second)
	u.control(204, "POST", "state", large)
}

func TestState_Loaded_RulesStrikeAnew(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	u.control(204, "POST", "faults", "faults: [{times: 1, fault: internal-error}]")
	for range 2 {
		if got := u.statuses(2, "t", deepwiki); !slices.Equal(got, []int{500, 201}) {
			t.Errorf("statuses %v", got)
		}
		u.Load(u.State())
	}
}

// nowhere is a ResponseWriter that keeps nothing.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}

// A shell's prompt begins a line behind what curl printed.
func TestControl_EveryResponse_EndsItsLine(t *testing.T) {
	t.Parallel()
	u := controlled(t)
	for path, status := range map[string]int{
		"state": 200, "state?format=yaml": 200, "faults": 200, "calls": 200, "clock": 200, "settings": 200,
		"nothing": 404, "calls?count=1": 409, "state?format=x": 400,
	} {
		if got := u.control(status, "GET", path, ""); !strings.HasSuffix(got.body, "\n") || strings.HasSuffix(got.body, "\n\n") {
			t.Errorf("%s: %q", path, got.body)
		}
	}
	if got := u.control(204, "POST", "reset", ""); got.body != "" {
		t.Errorf("no content: %q", got.body)
	}
}
