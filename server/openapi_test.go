package server_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/emulator"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/openapi"
)

func TestOpenAPI_DocumentWithoutCredential_IsServedInBothForms(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1")
	var compact bytes.Buffer
	if err := json.Compact(&compact, openapi.JSON()); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, asYAML, _ := strings.Cut(string(file), "\n") // the first line is a comment
	document := theDocument(t)
	for _, form := range []struct{ path, id, kind, want string }{
		{openapi.PathJSON, "getOpenAPI", "application/json", compact.String()},
		{openapi.PathYAML, "getOpenAPIAsYAML", "application/yaml", asYAML},
	} {
		plain := d.do(t, "GET", form.path, "", "Authorization", "", "Accept-Encoding", "identity")
		etag := plain.header.Get("ETag")
		if plain.status != 200 || plain.body != form.want || plain.header.Get("Content-Type") != form.kind || etag == "" || plain.header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %d %v, %d bytes; want %d", form.path, plain.status, plain.header, len(plain.body), len(form.want))
		}
		if form.kind == "application/json" {
			document.holds(t, form.id, plain)
		}
		zipped := d.do(t, "GET", form.path, "", "Authorization", "", "Accept-Encoding", "br, gzip;q=0.5")
		r, err := gzip.NewReader(strings.NewReader(zipped.body))
		if err != nil {
			t.Fatalf("%s: %v %v", form.path, zipped.header, err)
		}
		text, err := io.ReadAll(r)
		if err != nil || string(text) != form.want || zipped.header.Get("Content-Encoding") != "gzip" || zipped.header.Get("ETag") == etag || zipped.header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %v %v", form.path, zipped.header, err)
		}
		for _, encodings := range []string{"gzip;q=0", "*;q=0", "gzip; q=0.000, *", "br"} {
			if got := d.do(t, "GET", form.path, "", "Authorization", "", "Accept-Encoding", encodings); got.body != form.want {
				t.Errorf("%s, %s: %v", form.path, encodings, got.header)
			}
		}
		for _, known := range []string{etag, `"another", ` + etag, "*"} {
			if got := d.do(t, "GET", form.path, "", "Authorization", "", "Accept-Encoding", "identity", "If-None-Match", known); got.status != 304 || got.body != "" {
				t.Errorf("%s, If-None-Match %s: %d", form.path, known, got.status)
			}
		}
		if got := d.do(t, "HEAD", form.path, "", "Authorization", "", "Accept-Encoding", "identity"); got.status != 200 || got.body != "" || got.header.Get("Content-Length") != strconv.Itoa(len(form.want)) {
			t.Errorf("HEAD %s: %d %v", form.path, got.status, got.header)
		}
		wantREST(t, d.do(t, "POST", form.path, "", "Authorization", ""), 405, "NOT_SENT", apierror.ReasonMethodNotAllowed)
	}
}

// A path of the document has the methods that the server says it has, and the paths
// are those of the contract.
func TestOpenAPI_EveryRouteOfTheContract_IsDescribedAndNoOther(t *testing.T) {
	t.Parallel()
	methods, err := contract.Load(contract.Integration())
	if err != nil {
		t.Fatal(err)
	}
	d, document := start(t, "http://127.0.0.1:1"), theDocument(t)
	paths := document.at(document.root, "paths")
	operations := 0
	for path, item := range paths {
		operations += len(item.(map[string]any))
		if path == openapi.PathJSON || path == openapi.PathYAML {
			continue
		}
		// "template:stream" may be the id of an integration too.
		verbs := []string{"OPTIONS"}
		for other, item := range paths {
			if other != path && (path == gateway.BulkPath || !takes(other, path)) {
				continue
			}
			for verb := range item.(map[string]any) {
				verbs = append(verbs, strings.ToUpper(verb))
			}
		}
		if slices.Contains(verbs, "GET") {
			verbs = append(verbs, "HEAD")
		}
		slices.Sort(verbs)
		got := strings.Split(d.do(t, "OPTIONS", path, "").header.Get("Allow"), ", ")
		if verbs = slices.Compact(verbs); !slices.Equal(got, verbs) {
			t.Errorf("%s has %v, the document %v", path, got, verbs)
		}
	}
	if want := len(methods.Methods()) + 2; operations != want {
		t.Errorf("%d operations, want %d: one for each method, and two for the document", operations, want)
	}
	for _, m := range methods.Methods() {
		op, path, verb := document.operation(t, string(m.Descriptor.Name()))
		wantPath, wantVerb := gateway.BulkPath, "POST"
		if m.Binding != nil {
			wantPath, wantVerb = m.Binding.Template(), m.Binding.Verb
		}
		if path != wantPath || strings.ToUpper(verb) != wantVerb {
			t.Errorf("%s: %s %s, want %s %s", m.FullName, verb, path, wantVerb, wantPath)
		}
		for status := range document.at(op, "responses") {
			if status[0] == '2' && status != strconv.Itoa(m.SuccessStatus) {
				t.Errorf("%s: a %s, want %d", m.FullName, status, m.SuccessStatus)
			}
		}
		if op["security"] != nil {
			t.Errorf("%s has a security of its own", m.FullName)
		}
	}
}

var inBraces = regexp.MustCompile(`\\\{[a-z_]+\\\}`)

// takes reports whether a path with names in braces takes another path.
func takes(template, path string) bool {
	pattern := inBraces.ReplaceAllString(regexp.QuoteMeta(template), "[^/]+")
	return regexp.MustCompile("^" + pattern + "$").MatchString(path)
}

// Every failure that digate can conclude has a status, headers and a body that the
// document names, for every operation that it can end.
func TestOpenAPI_EveryFailureOfDigates_IsDescribed(t *testing.T) {
	t.Parallel()
	document := theDocument(t)
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		for _, outcome := range []exchange.Outcome{exchange.NotSent, exchange.Rejected, exchange.Unknown, exchange.Done} {
			e := &apierror.Error{Code: code, Reason: "SOME_REASON", Domain: apierror.DomainDigate, Outcome: outcome, Message: "m"}
			if code == codes.ResourceExhausted || code == codes.Unavailable {
				e.RetryAfter = new(time.Second)
			}
			r := e.REST(nil)
			r.Header.Set("X-Request-Id", "x")
			document.holds(t, "CopyTemplate", response{r.Status, r.Header, string(r.Body)})
			op, _, _ := document.operation(t, "CopyTemplate")
			if document.at(op, "responses", strconv.Itoa(r.Status)) == nil {
				t.Errorf("%v: a %d of digate's has no response of its own", code, r.Status)
			}
		}
	}
}

// What browsers may send and read is what the document has.
func TestOpenAPI_HeadersOfDigates_AreDescribed(t *testing.T) {
	t.Parallel()
	document := theDocument(t)
	d := start(t, "http://127.0.0.1:1", func(c *config.Config) { c.Gateway.CORSOrigins = "https://app.example" })
	preflight := d.do(t, "OPTIONS", "/v1/integration", "", "Origin", "https://app.example", "Access-Control-Request-Method", "GET")
	for name := range strings.SplitSeq(preflight.header.Get("Access-Control-Allow-Headers"), ", ") {
		if name != "Authorization" && name != "Content-Type" && document.at(document.root, "components", "parameters", name)["name"] != name {
			t.Errorf("the header %s of requests is not in the document", name)
		}
	}
	exposed := d.do(t, "GET", "/v1/integration/x", "", "Origin", "https://app.example").header.Get("Access-Control-Expose-Headers")
	for name := range strings.SplitSeq(exposed, ", ") {
		if document.at(document.root, "components", "headers", name) == nil {
			t.Errorf("the header %s of responses is not in the document", name)
		}
	}
	if exposed == "" || preflight.status != 204 {
		t.Errorf("%q, %d", exposed, preflight.status)
	}
}

// The examples of the document are sent to a server, and every response is as the
// document describes it.
func TestOpenAPI_ExamplesSentToTheEmulator_SucceedAsDescribed(t *testing.T) {
	t.Parallel()
	document := theDocument(t)
	_, url := emulate(t, emulator.Options{})
	d := start(t, url)
	call := func(id string, status int, ids map[string]string, body, query string, header ...string) map[string]any {
		t.Helper()
		_, path, verb := document.operation(t, id)
		for name, value := range ids {
			path = strings.ReplaceAll(path, "{"+name+"}", value)
		}
		got := d.do(t, strings.ToUpper(verb), path+query, body, header...)
		if got.status != status {
			t.Fatalf("%s: %d %s", id, got.status, got.body)
		}
		document.holds(t, id, got)
		var value map[string]any
		_ = json.Unmarshal([]byte(got.body), &value)
		return value
	}
	template := map[string]string{"template_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a"}
	copied := call("CopyTemplate", 201, template, document.request(t, "CopyTemplate"), "", "Idempotency-Key", "first", "Prefer", "wait=5", "Digate-Unresolved", "refuse", "Digate-Timeout", "9.5")
	again := call("CopyTemplate", 201, template, document.request(t, "CopyTemplate"), "", "Idempotency-Key", "first", "Digate-Unresolved", "refuse")
	if copied["id"] != again["id"] {
		t.Errorf("two integrations: %v and %v", copied["id"], again["id"])
	}
	call("PreviewCopyTemplate", 200, template, document.request(t, "PreviewCopyTemplate"), "")
	call("PreviewCopyTemplate", 200, template, `{"variables":{"shpo":"acme"}}`, "")
	call("GetTemplate", 200, template, "", "")
	call("ListTemplates", 200, nil, "", "?limit=20&language=es&order=asc")
	call("ListTemplates", 200, nil, "", "?page=1")
	call("StreamTemplates", 200, nil, "", "?max_items=3")
	created := call("CreateIntegration", 201, nil, document.request(t, "CreateIntegration"), "")
	one := map[string]string{"integration_id": fmt.Sprint(created["id"])}
	call("GetIntegration", 200, one, "", "")
	call("UpdateIntegration", 200, one, document.request(t, "UpdateIntegration"), "")
	call("ListIntegrations", 200, nil, "", "?integration_type=HTTP")
	call("StreamIntegrations", 200, nil, "", "")
	tool := call("CreateTool", 201, one, document.request(t, "CreateTool"), "")
	one["tool_id"] = fmt.Sprint(tool["id"])
	call("GetTool", 200, one, "", "")
	call("UpdateTool", 200, one, document.request(t, "UpdateTool"), "")
	call("ListTools", 200, one, "", "")
	call("ListTools", 200, map[string]string{"integration_id": fmt.Sprint(copied["id"])}, "", "")
	call("StreamTools", 200, one, "", "")
	document.request(t, "SetToolApprovals")
	call("SetToolApprovals", 204, one, `{"tools":[{"tool_id":"`+one["tool_id"]+`","approval_required":true}]}`, "")
	mcp := call("CopyTemplate", 201, map[string]string{"template_id": "e3f49a60-17d8-4b2c-9e75-08c6b4d1f3a7"}, `{}`, "")
	call("ListTools", 200, map[string]string{"integration_id": fmt.Sprint(mcp["id"])}, "", "")
	call("DeleteTool", 204, one, "", "")
	call("DeleteIntegration", 204, one, "", "")
	call("BulkCopyTemplate", 200, nil, document.request(t, "BulkCopyTemplate")+`{"template_id":"x","request_id":"r"}`+"\nnonsense\n", "")
	call("BulkCopyTemplate", 200, nil, document.request(t, "BulkCopyTemplate"), "")
}

// Failures of every kind, of digate's and of Diga's, are as the document describes them.
func TestOpenAPI_RequestsThatFail_FailAsDescribed(t *testing.T) {
	t.Parallel()
	document := theDocument(t)
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.MaxRequestBytes = 2000 })
	const copyPath = "/v1/integration/template/" + templateID + "/copy"
	hang := func(net.Conn, sent) bool { return false }
	for _, row := range []struct {
		name, id, verb, path, body string
		script                     script
		status                     int
		header                     []string
	}{
		{"no credential", "CopyTemplate", "POST", copyPath, `{}`, nil, 401, []string{"Authorization", ""}},
		{"Diga's 401", "CopyTemplate", "POST", copyPath, `{}`, respond(401, nil, envelope), 401, nil},
		{"Diga's 403", "ListIntegrations", "GET", "/v1/integration", ``, respond(403, nil, envelope), 403, nil},
		{"Diga's 404", "CopyTemplate", "POST", copyPath, `{}`, respond(404, nil, envelope), 404, nil},
		{"Diga's 409", "CopyTemplate", "POST", copyPath, `{}`, respond(409, nil, envelope), 409, nil},
		{"Diga's 418", "CopyTemplate", "POST", copyPath, `{}`, respond(418, nil, envelope), 418, nil},
		{"Diga's 422", "CopyTemplate", "POST", copyPath, `{}`, respond(422, nil, `{"detail":[{"type":"t","loc":["body",3],"msg":"m","input":{},"ctx":{}}]}`), 422, nil},
		{"detail as a text", "CopyTemplate", "POST", copyPath, `{}`, respond(403, nil, `{"detail":"Not authenticated"}`), 403, nil},
		{"Diga's 429", "CopyTemplate", "POST", copyPath, `{}`, respond(429, nil, envelope), 429, nil},
		{"Diga's 500", "CopyTemplate", "POST", copyPath, `{}`, respond(500, nil, envelope), 500, nil},
		{"Diga's 503", "CopyTemplate", "POST", copyPath, `{}`, respond(503, nil, envelope), 503, nil},
		{"a proxy's 502", "CopyTemplate", "POST", copyPath, `{}`, respond(502, nil, "<html>"), 502, nil},
		{"a proxy's 502, read", "GetTemplate", "GET", "/v1/integration/template/" + templateID, ``, respond(502, nil, "<html>"), 502, nil},
		{"a proxy's 504", "CopyTemplate", "POST", copyPath, `{}`, respond(504, nil, "<html>"), 504, nil},
		{"a redirect", "CopyTemplate", "POST", copyPath, `{}`, respond(302, nil, ""), 502, nil},
		{"a response that is lost", "CopyTemplate", "POST", copyPath, `{}`, hang, 502, nil},
		{"in doubt", "CopyTemplate", "POST", copyPath, `{}`, hang, 502, []string{"Idempotency-Key", "doubt"}},
		{"in doubt, again, without a list of candidates", "CopyTemplate", "POST", copyPath, `{}`, respond(403, nil, envelope), 409, []string{"Idempotency-Key", "doubt"}},
		{"another request under the key", "CopyTemplate", "POST", copyPath, `{"name":"x"}`, nil, 422, []string{"Idempotency-Key", "doubt"}},
		{"a wrong header", "CopyTemplate", "POST", copyPath, `{}`, nil, 422, []string{"Digate-Timeout", "soon"}},
		{"no JSON", "CopyTemplate", "POST", copyPath, `{`, nil, 422, nil},
		{"a wrong id", "GetTemplate", "GET", "/v1/integration/template/x", ``, nil, 422, nil},
		{"a wrong query", "ListTemplates", "GET", "/v1/integration/template?limit=0", ``, nil, 422, nil},
		{"too large", "CopyTemplate", "POST", copyPath, strings.Repeat(" ", 3000), nil, 413, nil},
		{"too large, in bulk", "BulkCopyTemplate", "POST", gateway.BulkPath, strings.Repeat(" ", 3000), nil, 413, nil},
		{"no credential, in bulk", "BulkCopyTemplate", "POST", gateway.BulkPath, `{}`, nil, 401, []string{"Authorization", ""}},
		{"a wrong header, in bulk", "BulkCopyTemplate", "POST", gateway.BulkPath, `{}`, nil, 422, []string{"Digate-Timeout", "0"}},
		{"a copy that fails, in bulk", "BulkCopyTemplate", "POST", gateway.BulkPath, `{"template_id":"` + templateID + `","request_id":"b"}`, respond(404, nil, envelope), 200, nil},
		{"a stream that fails at once", "StreamTemplates", "GET", "/v1/integration/template:stream", ``, respond(403, nil, envelope), 403, nil},
		{"a stream with a wrong query", "StreamTemplates", "GET", "/v1/integration/template:stream?max_items=0", ``, nil, 422, nil},
		{"a response in time", "CopyTemplate", "POST", copyPath, `{}`, nil, 504, []string{"Digate-Timeout", "0.000001"}},
		{"a method that the path has not", "CopyTemplate", "PUT", copyPath, `{}`, nil, 405, nil},
	} {
		up.will(row.script)
		if row.script == nil {
			up.will(func(_ net.Conn, r sent) bool {
				t.Errorf("%s: an unexpected request: %s", row.name, r.line)
				return false
			})
		}
		got := d.do(t, row.verb, row.path, row.body, row.header...)
		if got.status != row.status {
			t.Errorf("%s: %d %s, want %d", row.name, got.status, got.body, row.status)
		}
		document.holds(t, row.id, got)
	}
}

func TestOpenAPI_DigaAway_FailsAsDescribed(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1")
	got := d.copyREST(t, templateID, `{}`)
	wantREST(t, got, 503, "NOT_SENT", apierror.ReasonUnreachable)
	theDocument(t).holds(t, "CopyTemplate", got)
}
