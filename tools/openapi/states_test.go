package openapi_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/exchange"
)

// A request that the document forbids is refused, before anything is sent or by Diga.
func TestRequests_ThatAreWrong_AreForbiddenAndRefused(t *testing.T) {
	t.Parallel()
	d, up := theDocument(t), newScripted(t)
	up.will(t, nil)
	base := start(t, up.URL)
	header := func(name, value string) map[string]string { return map[string]string{name: value} }
	tool := func(field string) string {
		return `{"name":"n","description":"d","endpoint_path":"/","method":"GET",` + field + `}`
	}
	for name, r := range map[string]request{
		"an id in the path":               {operation: "GetTemplate", path: "/v1/integration/template/x"},
		"an id of too few digits":         {operation: "GetIntegration", path: "/v1/integration/0198c0de-4d2a-7c11-9b6e-5f0a7d3c2b1"},
		"an id in the query":              {operation: "ListIntegrations", query: "?after=x"},
		"a limit of 0":                    {operation: "ListTemplates", query: "?limit=0"},
		"a limit of 101":                  {operation: "ListTools", query: "?limit=101"},
		"a page of 0":                     {operation: "ListTools", query: "?page=0"},
		"a page beyond 32 bits":           {operation: "ListTools", query: "?page=2147483648"},
		"a page in words":                 {operation: "ListTools", query: "?page=one"},
		"an unknown order":                {operation: "ListTemplates", query: "?order=up"},
		"a type in other letters":         {operation: "ListIntegrations", query: "?integration_type=http"},
		"no item of a stream":             {operation: "StreamTemplates", query: "?max_items=0"},
		"no JSON":                         {operation: "CopyTemplate", body: `{"name":`},
		"a list for an object":            {operation: "CopyTemplate", body: `[]`},
		"a number for a text":             {operation: "CopyTemplate", body: `{"name":1}`},
		"a list for the variables":        {operation: "CopyTemplate", body: `{"variables":[]}`},
		"a text for the variables":        {operation: "PreviewCopyTemplate", body: `{"variables":"{}"}`},
		"a required field that is absent": {operation: "CreateIntegration", body: `{"name":"n","base_url":"u"}`},
		"a required field that is null":   {operation: "CreateIntegration", body: `{"name":null,"base_url":"u","integration_type":"HTTP"}`},
		"an unknown value":                {operation: "CreateIntegration", body: `{"name":"n","base_url":"u","integration_type":"FTP"}`},
		"a header that is a number":       {operation: "CreateIntegration", body: `{"name":"n","base_url":"u","integration_type":"HTTP","headers":{"X":1}}`},
		"a header that is null":           {operation: "UpdateIntegration", body: `{"headers":{"X":null}}`},
		"a timeout beyond 32 bits":        {operation: "CreateTool", body: tool(`"timeout":2147483648`)},
		"half a second":                   {operation: "CreateTool", body: tool(`"timeout":0.5`)},
		"an unknown speech":               {operation: "CreateTool", body: tool(`"pre_speech":"never"`)},
		"no tools":                        {operation: "SetToolApprovals", body: `{"tools":[]}`},
		"a tool without an approval":      {operation: "SetToolApprovals", body: `{"tools":[{"tool_id":"0198c0de-4d2b-7d52-8a1f-2c6e9b40d713"}]}`},
		"a timeout of 0":                  {operation: "GetTemplate", header: header("Digate-Timeout", "0.0")},
		"a timeout with an exponent":      {operation: "GetTemplate", header: header("Digate-Timeout", "1e2")},
		"a key of 256 characters":         {operation: "CopyTemplate", body: `{}`, header: header("Idempotency-Key", strings.Repeat("k", 256))},
		"a key beyond ASCII":              {operation: "CopyTemplate", body: `{}`, header: header("Idempotency-Key", "schlüssel")},
		"an unknown Digate-Unresolved":    {operation: "CopyTemplate", body: `{}`, header: header("Digate-Unresolved", "maybe")},
		"no body":                         {operation: "CreateIntegration"},
	} {
		if faults := d.faults(t, r); faults == nil {
			t.Errorf("%s: the document allows it", name)
		}
		if got := d.send(t, base, r); got.status != 422 || got.header.Get("Digate-Outcome") != "NOT_SENT" {
			t.Errorf("%s: %d %s %s", name, got.status, got.header.Get("Digate-Outcome"), got.body)
		}
	}
	diga := start(t, emulate(t))
	at := made(t, d, diga)
	for name, r := range map[string]request{
		"a parameter without a name": {operation: "CreateTool", path: at, body: tool(`"query":[{"data_type":"string"}]`)},
		"an object in a query":       {operation: "CreateTool", path: at, body: tool(`"query":[{"name":"q","data_type":"object"}]`)},
		"a fixed object":             {operation: "CreateTool", path: at, body: tool(`"body":[{"name":"q","data_type":"string","fixed_value":{}}]`)},
		"a tool without a name":      {operation: "UpdateTool", path: at + "/0198c0de-4d2b-7d52-8a1f-2c6e9b40d713", body: `{"name":null}`},
	} {
		if faults := d.faults(t, r); faults == nil {
			t.Errorf("%s: the document allows it", name)
		}
		if got := d.send(t, diga, r); got.status != 422 || got.header.Get("Digate-Outcome") != "REJECTED" {
			t.Errorf("%s: %d %s %s", name, got.status, got.header.Get("Digate-Outcome"), got.body)
		}
	}
	for name, line := range map[string]string{
		"no id of a template": `{"request_id":"r"}`,
		"no request id":       `{"template_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a"}`,
		"a wrong unresolved":  `{"template_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","request_id":"r","unresolved":"maybe"}`,
		"no JSON":             `nonsense`,
	} {
		r := request{operation: "BulkCopyTemplate", body: line + "\n"}
		if faults := d.faults(t, r); faults == nil {
			t.Errorf("%s: the document allows it in a line", name)
		}
		if got := d.send(t, base, r); got.status != 200 || !strings.Contains(got.body, `"http_status":422`) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

// made creates an integration and returns the path of its tools.
func made(t *testing.T, d *document, base string) string {
	t.Helper()
	got := d.send(t, base, request{operation: "CreateIntegration", body: d.example(t, "CreateIntegration")})
	var integration struct{ ID string }
	must(t, json.Unmarshal([]byte(got.body), &integration))
	return "/v1/integration/" + integration.ID + "/tool"
}

// What a key, a lost response and a bound of the server lead to.
func TestRequests_InTheirStates_AreAsTheDocumentHasThem(t *testing.T) {
	t.Parallel()
	d, up := theDocument(t), newScripted(t)
	base := start(t, up.URL, func(c *config.Config) { c.Integration.RequireRequestID = true })
	const integration = `{"id":"0198c0de-4d2a-7c11-9b6e-5f0a7d3c2b10","name":"n","base_url":"u","auth_type":"NONE","integration_type":"HTTP","created_at":"2026-11-30T09:15:00Z","updated_at":"2026-11-30T09:15:00.123456+00:00"}`
	step := func(want int, upstream http.HandlerFunc, operation, body, key string) {
		t.Helper()
		up.will(t, upstream)
		r := request{operation: operation, body: body, header: map[string]string{"Idempotency-Key": key}}
		if got := d.send(t, base, r); got.status != want {
			t.Errorf("%s with the key %q: %d %s, want %d", operation, key, got.status, got.body, want)
		}
	}
	step(422, nil, "CopyTemplate", `{}`, "") // a key is required
	step(201, respond(201, "application/json", integration), "CopyTemplate", `{}`, "made")
	step(201, respond(200, "application/json", integration), "CopyTemplate", `{}`, "made") // read again
	step(422, nil, "CopyTemplate", `{"name":"other"}`, "made")
	step(409, respond(404, "application/json", refusal), "CopyTemplate", `{}`, "made") // it is gone
	step(502, cut, "CopyTemplate", `{}`, "doubt")
	step(409, respond(403, "application/json", refusal), "CopyTemplate", `{}`, "doubt")
	step(502, cut, "CreateIntegration", d.example(t, "CreateIntegration"), "doubt")
	step(409, respond(200, "application/json", `{"data":[`+integration+`],"has_more":false}`), "CreateIntegration", d.example(t, "CreateIntegration"), "doubt")
}

// A stream whose second page fails ends with a line that says so.
func TestRequests_StreamsThatBreak_AreAsTheDocumentHasThem(t *testing.T) {
	t.Parallel()
	d, up := theDocument(t), newScripted(t)
	base := start(t, up.URL)
	items := map[string]string{
		"StreamTemplates":    `{"id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","name":"n","language":"es","template":{"a":1.50}}`,
		"StreamIntegrations": `{"id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","name":"n","base_url":"u","auth_type":"NONE","integration_type":"HTTP","created_at":"2026-11-30T09:15:00Z","updated_at":"2026-11-30T09:15:00Z"}`,
		"StreamTools":        `{"type":"HTTP","id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","name":"n","headers":null,"method":"GET","query":[{"name":"q","data_type":"string"}],"body":[{"name":"b","data_type":"object","properties":null}],"path":[{"name":"p"}]}`,
	}
	for operation, item := range items {
		up.will(t, func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("after") != "" {
				respond(503, "application/json", refusal, "Retry-After", "2")(w, r)
				return
			}
			respond(200, "application/json", `{"data":[`+item+`],"has_more":true,"first_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","last_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a"}`)(w, r)
		})
		got := d.send(t, base, request{operation: operation})
		if got.status != 200 || strings.Count(got.body, "\n") != 2 || !strings.Contains(got.body, `"http_status":503`) {
			t.Errorf("%s: %d %s", operation, got.status, got.body)
		}
	}
	up.will(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "8dd25736052a") {
			cut(w, r)
		}
		respond(404, "application/json", refusal)(w, r)
	})
	got := d.send(t, base, request{operation: "BulkCopyTemplate", body: `{"template_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","request_id":"a"}
{"template_id":"3c90c3cc-0d44-4b50-8888-8dd257360000","request_id":"b"}
{"template_id":"3c90c3cc-0d44-4b50-8888-8dd257360000","request_id":"b"}
`})
	for _, text := range []string{`"http_status":404`, `"http_status":502`, `"http_status":422`, `"summary"`} {
		if !strings.Contains(got.body, text) {
			t.Errorf("bulk without %s: %s", text, got.body)
		}
	}
}

// A server with accounts refuses in ways of its own.
func TestRequests_OnAServerWithAccounts_AreAsTheDocumentHasThem(t *testing.T) {
	t.Parallel()
	d := theDocument(t)
	accounts, token := withAccounts(t)
	base := start(t, emulate(t), func(c *config.Config) { c.AccountsFile = accounts })
	body := d.example(t, "CopyTemplate")
	for _, step := range []struct {
		operation, caller, account string
		status                     int
		code                       string
	}{
		{"CopyTemplate", "ops", "acme", 201, ""},
		{"CopyTemplate", "ops", "", 422, "ACCOUNT_REQUIRED"},
		{"BulkCopyTemplate", "ops", "", 422, "ACCOUNT_REQUIRED"},
		{"ListIntegrations", "ops", "nowhere", 403, "NOT_ALLOWED"},
		{"DeleteIntegration", "billing", "acme", 403, "NOT_ALLOWED"},
		{"StreamTemplates", "billing", "", 403, "NOT_ALLOWED"},
		{"GetTemplate", "stranger", "acme", 401, "INVALID_CREDENTIAL"},
		{"BulkCopyTemplate", "stranger", "acme", 401, "INVALID_CREDENTIAL"},
		{"CopyTemplate", "ops", "daily", 201, ""},
		{"CopyTemplate", "ops", "daily", 429, "QUOTA_EXCEEDED"},
		{"ListIntegrations", "slow", "", 200, ""},
		{"ListIntegrations", "slow", "", 429, "QUOTA_EXCEEDED"},
	} {
		r := request{operation: step.operation, header: map[string]string{"Authorization": "Bearer " + token(step.caller), "Digate-Account": step.account}}
		if step.operation == "CopyTemplate" {
			r.body = body
		} else {
			r.body = d.example(t, step.operation)
		}
		if faults := d.faults(t, r); faults != nil {
			t.Errorf("%+v: the document forbids it: %q", step, faults)
		}
		if got := d.send(t, base, r); got.status != step.status || !strings.Contains(got.body, step.code) {
			t.Errorf("%+v: %d %s", step, got.status, got.body)
		}
	}
}

// withAccounts writes a file of accounts and returns its path, and what makes tokens of
// its callers.
func withAccounts(t *testing.T) (file string, token func(caller string) string) {
	t.Helper()
	dir := t.TempDir()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	key, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "k"}})
	must(t, err)
	keys, err := json.Marshal(jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{key.Marshal()}})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "jwks.json"), keys, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "token"), []byte("t\n"), 0o600))
	file = filepath.Join(dir, "accounts.yaml")
	must(t, os.WriteFile(file, []byte(strings.ReplaceAll(`accounts:
  acme: {token: "file://DIR/token"}
  daily: {token: "file://DIR/token", copies_per_day: 1}
issuers:
  corp: {issuer: "https://idp.example", audience: digate, keys: "file://DIR/jwks.json", algorithms: [EdDSA]}
callers:
  ops:
    identities: [{token: {issuer: corp, sub: ops}}]
    allow: [{accounts: ["*"], methods: ["*"]}]
  billing:
    identities: [{token: {issuer: corp, sub: billing}}]
    allow: [{accounts: [acme], methods: [CopyTemplate]}]
  slow:
    identities: [{token: {issuer: corp, sub: slow}}]
    requests_per_second: 0.01
    allow: [{accounts: [acme], methods: ["*"]}]
`, "DIR", dir)), 0o600))
	return file, func(caller string) string {
		claims := jwt.MapClaims{"iss": "https://idp.example", "aud": "digate", "sub": caller, "exp": time.Now().Add(time.Hour).Unix()}
		signed := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
		signed.Header["kid"] = "k"
		text, err := signed.SignedString(private)
		must(t, err)
		return text
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Every failure that digate can conclude is in the document, also those that no test
// of the whole server brings about.
func TestFailures_OfEveryCodeAndOutcome_AreInTheDocument(t *testing.T) {
	t.Parallel()
	d := theDocument(t)
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		for _, outcome := range []exchange.Outcome{exchange.NotSent, exchange.Rejected, exchange.Unknown, exchange.Done} {
			e := &apierror.Error{Code: code, Reason: "SOME_REASON", Domain: apierror.DomainDigate, Outcome: outcome, Message: "m"}
			if code == codes.ResourceExhausted || code == codes.Unavailable {
				e.RetryAfter = new(time.Second)
			}
			r := e.REST(nil)
			r.Header.Set("X-Request-Id", "x")
			d.holds(t, request{operation: "CopyTemplate"}, response{r.Status, r.Header, string(r.Body)})
		}
	}
}

// Each example in the document, of parameters, requests and responses, is valid.
func TestExamples_FitTheirSchemas(t *testing.T) {
	t.Parallel()
	d := theDocument(t)
	requests, responses := 0, 0
	for _, id := range d.operations() {
		verb, path := d.route(t, id)
		op := d.model.Paths.PathItems.GetOrZero(path).GetOperations().GetOrZero(strings.ToLower(verb))
		r := request{operation: id, body: d.example(t, id), header: make(map[string]string)}
		for _, p := range op.Parameters {
			if p.Example == nil {
				continue
			}
			switch p.In {
			case "header":
				r.header[p.Name] = p.Example.Value
			case "query":
				r.query += "&" + p.Name + "=" + p.Example.Value
			}
		}
		r.query = strings.Replace(r.query, "&", "?", 1)
		if faults := d.faults(t, r); faults != nil {
			t.Errorf("the example of %s: %q", id, faults)
		}
		requests++
		for status, resp := range op.Responses.Codes.FromOldest() {
			if resp.Content == nil || resp.Content.GetOrZero("application/json") == nil || resp.Content.GetOrZero("application/json").Example == nil {
				continue
			}
			media := resp.Content.GetOrZero("application/json")
			var value any
			must(t, media.Example.Decode(&value))
			body, err := json.Marshal(value)
			must(t, err)
			header := http.Header{"Content-Type": {"application/json"}}
			for name, h := range resp.Headers.FromOldest() {
				if h.Required {
					header.Set(name, map[string]string{"Digate-Outcome": "UNKNOWN", "WWW-Authenticate": "Bearer", "X-Request-Id": "x"}[name])
				}
			}
			n, err := strconv.Atoi(status)
			must(t, err)
			d.holds(t, request{operation: id}, response{n, header, string(body)})
			responses++
		}
	}
	if requests < 19 || responses < 200 {
		t.Errorf("%d examples of requests and %d of responses", requests, responses)
	}
}
