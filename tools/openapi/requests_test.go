package openapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/server/config"
)

// refusal is Diga's envelope of an error.
const refusal = `{"status":"error","error_code":"SOME_CODE","message":"Not now"}`

// example returns the example that the document has of a request's body.
func (d *document) example(t *testing.T, id string) string {
	t.Helper()
	verb, path := d.route(t, id)
	op := d.model.Paths.PathItems.GetOrZero(path).GetOperations().GetOrZero(strings.ToLower(verb))
	if op.RequestBody == nil {
		return ""
	}
	for kind, media := range op.RequestBody.Content.FromOldest() {
		if kind == lines {
			return media.Example.Value
		}
		var value any
		if err := media.Example.Decode(&value); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return ""
}

// operations returns the ids of all operations but those of the document itself.
func (d *document) operations() []string {
	var all []string
	for _, item := range d.model.Paths.PathItems.FromOldest() {
		for _, op := range item.GetOperations().FromOldest() {
			if !slices.Contains(op.Tags, "server") {
				all = append(all, op.OperationId)
			}
		}
	}
	return all
}

func TestDocument_IsValid(t *testing.T) {
	t.Parallel()
	if _, errs := theDocument(t).judge.ValidateDocument(); len(errs) > 0 {
		t.Error(strings.Join(texts(errs), "\n"))
	}
}

// The life of an integration, with the document's examples.
func TestRequests_ThatSucceed_AreAsTheDocumentHasThem(t *testing.T) {
	t.Parallel()
	d := theDocument(t)
	base := start(t, emulate(t))
	succeeded := make(map[string]bool)
	call := func(want int, r request, at ...string) map[string]any {
		t.Helper()
		if at != nil {
			_, path := d.route(t, r.operation)
			r.path = strings.NewReplacer(at...).Replace(path)
		}
		if faults := d.faults(t, r); faults != nil {
			t.Errorf("%s: the document forbids %+v:\n%s", r.operation, r, strings.Join(faults, "\n"))
		}
		got := d.send(t, base, r)
		if got.status != want {
			t.Fatalf("%s: %d %s", r.operation, got.status, got.body)
		}
		succeeded[r.operation] = true
		var value map[string]any
		_ = json.Unmarshal([]byte(got.body), &value) // not all responses are one JSON object
		return value
	}
	call(200, request{operation: "getOpenAPI", header: map[string]string{"Authorization": ""}})
	call(200, request{operation: "getOpenAPIAsYAML", header: map[string]string{"Authorization": ""}})
	call(304, request{operation: "getOpenAPI", header: map[string]string{"Authorization": "", "If-None-Match": "*"}})
	call(304, request{operation: "getOpenAPIAsYAML", header: map[string]string{"Authorization": "", "If-None-Match": "*"}})

	once := request{operation: "CopyTemplate", body: d.example(t, "CopyTemplate"), header: map[string]string{
		"Idempotency-Key": "first", "Prefer": "wait=5", "Digate-Timeout": "9.5", "Digate-Unresolved": "refuse", "Digate-Account": "main", "X-Request-Id": "order-4711",
	}}
	copied := call(201, once)
	if again := call(201, once); again["id"] != copied["id"] {
		t.Errorf("the same key: %v and %v", copied["id"], again["id"])
	}
	call(200, request{operation: "PreviewCopyTemplate", body: d.example(t, "PreviewCopyTemplate")})
	call(200, request{operation: "PreviewCopyTemplate", body: `{"base_url":"https://<<shop>>","variables":{"shpo":["a"],"shop":3}}`})
	call(200, request{operation: "GetTemplate"})
	templates := call(200, request{operation: "ListTemplates", query: "?limit=1&language=es&order=asc"})
	call(200, request{operation: "ListTemplates", query: "?page=1"})
	call(200, request{operation: "ListTemplates", query: fmt.Sprint("?after=", templates["last_id"])})
	call(200, request{operation: "ListTemplates", query: fmt.Sprint("?before=", templates["first_id"])})
	call(200, request{operation: "StreamTemplates", query: "?max_items=3"})
	for _, template := range templatesOf(t, d, base) {
		kind := "{template_id}"
		call(200, request{operation: "GetTemplate"}, kind, template)
		call(200, request{operation: "PreviewCopyTemplate", body: `{}`}, kind, template)
		made := call(201, request{operation: "CopyTemplate", body: `{"name":null}`}, kind, template)
		call(200, request{operation: "ListTools"}, "{integration_id}", fmt.Sprint(made["id"]))
		call(200, request{operation: "StreamTools"}, "{integration_id}", fmt.Sprint(made["id"]))
	}

	created := call(201, request{operation: "CreateIntegration", body: d.example(t, "CreateIntegration"), header: map[string]string{"Idempotency-Key": `"in quotes"`}})
	at := []string{"{integration_id}", fmt.Sprint(created["id"])}
	call(200, request{operation: "GetIntegration"}, at...)
	call(200, request{operation: "UpdateIntegration", body: d.example(t, "UpdateIntegration")}, at...)
	call(200, request{operation: "UpdateIntegration", body: `{"headers":null,"auth_key":null,"description":null}`}, at...)
	call(200, request{operation: "ListIntegrations", query: "?integration_type=HTTP&limit=100"})
	call(200, request{operation: "ListIntegrations", query: "?page=2"})
	call(200, request{operation: "StreamIntegrations", query: "?order=desc"})
	tool := call(201, request{operation: "CreateTool", body: d.example(t, "CreateTool")}, at...)
	call(201, request{operation: "CreateTool", body: `{"name":"bare","description":"d","endpoint_path":"/","method":"DELETE","query":null,"body":[{"name":"o","data_type":"object","properties":[
		{"name":"n","data_type":"number","fixed_value":1.5,"value_source":"fixed"},{"name":"t","data_type":"string","fixed_value":"x"},{"name":"u","data_type":"boolean","required":null}]}],
		"headers":{"X":"y"},"execution_audio":"typing","pre_speech":"force","approval_required":true}`}, at...)
	at = append(at, "{tool_id}", fmt.Sprint(tool["id"]))
	call(200, request{operation: "GetTool"}, at...)
	call(200, request{operation: "UpdateTool", body: d.example(t, "UpdateTool")}, at...)
	call(200, request{operation: "ListTools", query: "?order=asc"}, at...)
	call(200, request{operation: "StreamTools", query: "?max_items=1"}, at...)
	call(204, request{operation: "SetToolApprovals", body: fmt.Sprintf(`{"tools":[{"tool_id":%q,"approval_required":true}]}`, tool["id"])}, at...)
	call(204, request{operation: "DeleteTool"}, at...)
	call(204, request{operation: "DeleteIntegration"}, at...)

	bulk := d.example(t, "BulkCopyTemplate")
	call(200, request{operation: "BulkCopyTemplate", body: bulk})
	call(200, request{operation: "BulkCopyTemplate", body: bulk}) // replayed
	for _, op := range d.operations() {
		if !succeeded[op] {
			t.Errorf("%s: no request succeeded", op)
		}
	}
}

// templatesOf returns the ids of the templates, in every language that the emulator has.
func templatesOf(t *testing.T, d *document, base string) []string {
	t.Helper()
	var all []string
	for _, language := range []string{"es", "en"} {
		got := d.send(t, base, request{operation: "StreamTemplates", query: "?language=" + language})
		for line := range strings.Lines(got.body) {
			var item struct{ Template *struct{ ID string } }
			if err := json.Unmarshal([]byte(line), &item); err != nil {
				t.Fatal(err)
			}
			if item.Template != nil {
				all = append(all, item.Template.ID)
			}
		}
	}
	if len(all) < 2 {
		t.Errorf("%d templates", len(all))
	}
	return all
}

// Every operation can fail in every way that Diga or a proxy has.
func TestRequests_ThatDigaRefuses_FailAsTheDocumentHasIt(t *testing.T) {
	t.Parallel()
	d, up := theDocument(t), newScripted(t)
	base := start(t, up.URL)
	for _, op := range d.operations() {
		r := request{operation: op, body: d.example(t, op)}
		for _, status := range []int{400, 401, 403, 404, 408, 409, 410, 412, 415, 418, 422, 429, 451, 500, 501, 503} {
			up.will(t, respond(status, "application/json", refusal, "Retry-After", "3", "WWW-Authenticate", "Basic", "X-Powered-By", "Diga"))
			if got := d.send(t, base, r); got.status != status && got.status != 200 {
				t.Errorf("%s: Diga's %d is a %d: %s", op, status, got.status, got.body)
			}
		}
		for name, handler := range map[string]http.HandlerFunc{
			"a list":         respond(422, "application/json", `{"detail":[{"type":"t","loc":["body","tools",3],"msg":"m","input":{"a":1},"ctx":{"b":2},"url":"https://x"}]}`),
			"a text":         respond(403, "application/json", `{"detail":"Not authenticated"}`),
			"no JSON":        respond(404, "text/html", `<h1>Not here</h1>`),
			"a page":         respond(502, "text/html", `<h1>Bad gateway</h1>`),
			"another page":   respond(504, "text/html", `<h1>Too late</h1>`),
			"a proxy's 503":  respond(503, "text/plain", `busy`),
			"a redirect":     respond(302, "text/plain", ``, "Location", "https://elsewhere.example"),
			"no response":    cut,
			"an empty 200":   respond(200, "application/json", ``),
			"no JSON in 200": respond(200, "application/json", `{"id":`),
		} {
			if empty := op == "DeleteTool" || op == "DeleteIntegration" || op == "SetToolApprovals"; empty && strings.Contains(name, "200") {
				continue // there is nothing to read
			}
			up.will(t, handler)
			if got := d.send(t, base, r); got.status < 400 && got.header.Get("Content-Type") != lines {
				t.Errorf("%s: %s is a %d: %s", op, name, got.status, got.body)
			}
		}
		up.will(t, nil)
		if got := d.send(t, base, request{operation: op, body: r.body, header: map[string]string{"Authorization": ""}}); got.status != 401 {
			t.Errorf("%s: %d without a credential", op, got.status)
		}
		if got := d.send(t, base, request{operation: op, body: r.body, header: map[string]string{"Digate-Timeout": "soon"}}); got.status != 422 {
			t.Errorf("%s: %d with a wrong header", op, got.status)
		}
		if got := d.send(t, base, request{operation: op, body: r.body, header: map[string]string{"Digate-Timeout": "0.000001"}}); got.status != 504 && got.header.Get("Content-Type") != lines {
			t.Errorf("%s: %d without time", op, got.status)
		}
		if got := d.send(t, base, request{operation: op, verb: "TRACE"}); got.status != 405 {
			t.Errorf("%s: %d for a method that no path has", op, got.status)
		}
	}
	away := start(t, "http://127.0.0.1:1", func(c *config.Config) { c.MaxRequestBytes = 3000 })
	for _, op := range d.operations() {
		r := request{operation: op, body: d.example(t, op)}
		if got := d.send(t, away, r); got.status != 503 && op != "BulkCopyTemplate" {
			t.Errorf("%s: %d while Diga is away", op, got.status)
		}
		if r.body == "" {
			continue
		}
		r.body += strings.Repeat(" ", 4000)
		if got := d.send(t, away, r); got.status != 413 {
			t.Errorf("%s: %d for a body that is too large", op, got.status)
		}
	}
}
