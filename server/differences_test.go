package server_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
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
	"unicode/utf8"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/certs/certstest"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/test/rig"
)

// difference tests one line of docs/differences.md on a running server.
type difference func(t *testing.T, up *scripted, d *digate)

var differences = map[string]difference{
	"own-headers": func(t *testing.T, up *scripted, d *digate) {
		header := map[string]string{"Server": "uvicorn", "Set-Cookie": "a=b", "Etag": "x"}
		for _, c := range []struct {
			script script
			want   []string
		}{
			{respond(201, header, full), []string{"Content-Length", "Content-Type", "Date", "X-Request-Id"}},
			{respond(404, header, envelope), []string{"Content-Length", "Content-Type", "Date", "Digate-Outcome", "X-Request-Id"}},
			{respond(429, header, envelope), []string{"Content-Length", "Content-Type", "Date", "Digate-Outcome", "Retry-After", "X-Request-Id"}},
		} {
			up.will(c.script)
			var got []string
			for name := range d.copyREST(t, templateID, `{}`).header {
				got = append(got, name)
			}
			if slices.Sort(got); !slices.Equal(got, c.want) {
				t.Errorf("headers %v, want %v", got, c.want)
			}
		}
	},
	"outcome-header": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(404, nil, envelope))
		wantREST(t, d.copyREST(t, templateID, `{}`), 404, "REJECTED", "")
		up.will(respond(500, nil, envelope))
		wantREST(t, d.copyREST(t, templateID, `{}`), 500, "UNKNOWN", "")
		wantREST(t, d.copyREST(t, "x", `{}`), 422, "NOT_SENT", "")
	},
	"retry-after-default": func(t *testing.T, up *scripted, d *digate) {
		for given, want := range map[string]string{"": "1", "7": "7", "nonsense": "1"} {
			for _, status := range []int{429, 503} {
				header := map[string]string{}
				if given != "" {
					header["Retry-After"] = given
				}
				up.will(respond(status, header, envelope))
				// An account of its own: the one that was told to wait does.
				account := fmt.Sprintf("Bearer %s-%d-%s", token, status, given)
				if got := d.copyREST(t, templateID, `{}`, "Authorization", account).header.Get("Retry-After"); got != want {
					t.Errorf("%d with %q: Retry-After %q, want %q", status, given, got, want)
				}
			}
		}
		now := time.Now().UTC()
		const date = "Mon, 02 Jan 2006 15:04:05 GMT"
		up.will(respond(429, map[string]string{"Date": now.Format(date), "Retry-After": now.Add(30 * time.Second).Format(date)}, envelope))
		if got := d.copyREST(t, templateID, `{}`, "Authorization", "Bearer "+token+"-date").header.Get("Retry-After"); got != "30" {
			t.Errorf("with a date: Retry-After %q, want 30", got)
		}
	},
	"bearer-challenge": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(401, nil, envelope))
		for _, authorization := range []string{"Bearer " + token, ""} {
			rest := d.copyREST(t, templateID, `{}`, "Authorization", authorization)
			if rest.status != 401 || rest.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%d %v", rest.status, rest.header)
			}
		}
	},
	"never-compressed": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(201, nil, full))
		rest := d.copyREST(t, templateID, `{}`, "Accept-Encoding", "gzip, br")
		if rest.header.Get("Content-Encoding") != "" || rest.body != full {
			t.Errorf("%v %q", rest.header, rest.body)
		}
	},
	"openapi-routes": func(t *testing.T, _ *scripted, d *digate) {
		for _, path := range []string{"/openapi.json", "/openapi.yaml"} {
			got := d.do(t, "GET", path, "", "Authorization", "")
			if got.status != 200 || !strings.Contains(got.body, "Digate-Outcome") || got.header.Get("ETag") == "" {
				t.Errorf("%s: %d %v", path, got.status, got.header)
			}
		}
		withDocs := start(t, "http://127.0.0.1:1", func(c *config.Config) { c.Gateway.Docs = true })
		if got := withDocs.do(t, "GET", "/docs", "", "Authorization", ""); got.status != 200 || !strings.Contains(got.body, "<html") {
			t.Errorf("/docs: %d %v", got.status, got.header)
		}
		if got := withDocs.do(t, "GET", "/", "", "Authorization", ""); got.status != 307 || got.header.Get("Location") != "./docs" {
			t.Errorf("/: %d %v", got.status, got.header)
		}
		wantREST(t, d.do(t, "GET", "/docs", ""), 404, "NOT_SENT", apierror.ReasonRouteNotFound)
	},
	"contract-routes": func(t *testing.T, _ *scripted, d *digate) {
		for path, part := range map[string]string{"/contract/": "/contract/contract.tar\n", "/contract/proto/diga/integration/v1/integration_service.proto": "rpc CopyTemplate"} {
			got := d.do(t, "GET", path, "", "Authorization", "")
			if got.status != 200 || !strings.Contains(got.body, part) || got.header.Get("ETag") == "" {
				t.Errorf("%s: %d %v", path, got.status, got.header)
			}
		}
	},
	"cut-success": func(t *testing.T, up *scripted, d *digate) {
		up.will(raw("HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{\"id\":\""+id+"\",\"nam", false))
		rest := d.copyREST(t, templateID, `{}`)
		if rest.status != 201 || !strings.HasPrefix(rest.body, `{"id":"`+id+`","name":null,`) {
			t.Errorf("%d %s", rest.status, rest.body)
		}
		up.will(respond(201, nil, full+"<hr>"))
		rest = d.copyREST(t, templateID, `{}`)
		if rest.status != 201 || !json.Valid([]byte(rest.body)) || !strings.HasPrefix(rest.body, `{"id":"`+id+`","name":"Tienda`) {
			t.Errorf("%d %s", rest.status, rest.body)
		}
	},
	"nearly-json": func(t *testing.T, up *scripted, d *digate) {
		for _, odd := range []string{
			"\ufeff" + full, strings.Replace(full, "{", `{"x":NaN,`, 1), strings.TrimSuffix(full, "}") + ",\"x\":\"\x01\"}",
			")]}',\n" + full, "/*" + full + "*/", strings.Replace(full, "{", "{\x00\x00\x00", 1), utf32Of(full), utf32Of("\ufeff" + full),
			strings.TrimSuffix(full, "}") + `,"id":null}`, strings.Replace(full, `"description":"d"`, "\"description\":\"caf\xe9\"", 1),
		} {
			up.will(respond(201, nil, odd))
			rest := d.copyREST(t, templateID, `{}`)
			if rest.status != 201 || !strings.HasPrefix(rest.body, `{"id":"`+id+`","name":"`) || !json.Valid([]byte(rest.body)) || !utf8.ValidString(rest.body) ||
				strings.Contains(rest.body, `"x"`) || strings.Contains(rest.body, `"id":null`) || rest.header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %s", rest.status, rest.body)
			}
			up.will(respond(201, nil, odd))
			if got, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil || got.GetId() != id || got.GetUpdatedAt() == nil {
				t.Errorf("%v, %v", got, err)
			}
		}
		up.will(respond(404, nil, "\ufeff"+`{"status":"error","error_code":"GONE","message":"no"}`))
		rest := d.copyREST(t, templateID, `{}`)
		wantREST(t, rest, 404, "REJECTED", "GONE")
	},
	"coded-response": func(t *testing.T, up *scripted, d *digate) {
		for _, s := range []script{
			respond(201, map[string]string{"Content-Encoding": "gzip"}, full),
			respond(201, map[string]string{"Content-Encoding": "deflate"}, deflated(full)),
			respond(201, map[string]string{"Content-Encoding": "deflate, deflate"}, deflated(deflated(full))),
			respond(201, map[string]string{"Content-Encoding": "none"}, full),
		} {
			up.will(s)
			rest := d.copyREST(t, templateID, `{}`)
			if rest.status != 201 || rest.body != full || rest.header.Get("Content-Encoding") != "" || rest.header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %v %s", rest.status, rest.header, rest.body)
			}
			up.will(s)
			if got, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil || got.GetId() != id {
				t.Errorf("%v, %v", got, err)
			}
		}
		up.will(respond(404, map[string]string{"Content-Encoding": "deflate"}, deflated("/*"+`{"status":"error","error_code":"GONE","message":"no"}`+"*/")))
		wantREST(t, d.copyREST(t, templateID, `{}`), 404, "REJECTED", "GONE")
		up.will(respond(201, map[string]string{"Content-Encoding": "br"}, "\x8b\x03"))
		wantREST(t, d.copyREST(t, templateID, `{}`), 502, "UNKNOWN", "OUTCOME_UNKNOWN")
	},
	"cut-list": func(t *testing.T, up *scripted, _ *digate) {
		d := start(t, up.url(), func(c *config.Config) { c.Responses.MaxResponse = 2000 })
		page := `{"data":[` + full + `],"has_more":false`
		for _, s := range []script{respond(200, nil, page), respond(200, nil, page+strings.Repeat(" ", 2000)+"}")} {
			up.will(s)
			if rest := d.do(t, "GET", "/v1/integration", ""); rest.status != 502 {
				t.Errorf("%d %s", rest.status, rest.body)
			}
		}
		up.will(respond(200, nil, page+"}"))
		wantREST(t, d.do(t, "GET", "/v1/integration", ""), 200, "", "")
	},
	"no-id": func(t *testing.T, up *scripted, d *digate) {
		for _, s := range []script{
			respond(201, nil, `{}`), respond(204, nil, ""), respond(302, map[string]string{"Location": "/v1/integration"}, ""),
			respond(101, map[string]string{"Upgrade": "x", "Connection": "Upgrade"}, ""),
		} {
			up.will(s)
			rest := d.copyREST(t, templateID, `{}`)
			if rest.status != 502 || rest.header.Get("Location") != "" {
				t.Errorf("%d %v", rest.status, rest.header)
			}
			up.one(t)
		}
	},
	"foreign-error": func(t *testing.T, up *scripted, d *digate) {
		for status, reason := range map[int]string{404: "UPSTREAM_UNEXPECTED", 500: "UPSTREAM_ERROR", 502: "UPSTREAM_GATEWAY", 503: "UPSTREAM_GATEWAY"} {
			for _, body := range []string{"", "<html>no</html>", `{"error":"other"}`} {
				up.will(respond(status, nil, body))
				rest := d.copyREST(t, templateID, `{}`)
				if rest.status != status {
					t.Errorf("status %d, want %d", rest.status, status)
				}
				wantEnvelope(t, rest.body, reason)
			}
		}
	},
	"unreachable": func(t *testing.T, up *scripted, _ *digate) {
		d := start(t, "http://"+rig.FreeAddr(t))
		rest := d.copyREST(t, templateID, `{}`)
		wantREST(t, rest, 503, "NOT_SENT", "UPSTREAM_UNREACHABLE")
		if rest.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	},
	"response-lost": func(t *testing.T, up *scripted, d *digate) {
		up.will(raw("", true))
		wantREST(t, d.copyREST(t, templateID, `{}`), 502, "UNKNOWN", "OUTCOME_UNKNOWN")
	},
	"read-lost": func(t *testing.T, up *scripted, d *digate) {
		for _, s := range []script{raw("", true), respond(502, nil, "<html>")} {
			up.will(s)
			rest := d.do(t, "GET", "/v1/integration/"+id, "")
			wantREST(t, rest, 502, "UNKNOWN", "")
			if rest.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
	},
	"repeated": func(t *testing.T, up *scripted, _ *digate) {
		d := start(t, up.url(), asShipped)
		up.will(inTurn(respond(429, map[string]string{"Retry-After": "0"}, envelope), respond(201, nil, full)))
		wantREST(t, d.copyREST(t, templateID, `{}`), 201, "", "")
		up.will(inTurn(raw("", true), respond(200, nil, full)))
		wantREST(t, d.do(t, "GET", "/v1/integration/"+id, ""), 200, "", "")
		up.will(inTurn(raw("", true), respond(201, nil, full)))
		wantREST(t, d.copyREST(t, templateID, `{}`), 502, "UNKNOWN", "OUTCOME_UNKNOWN")
		up.one(t)
	},
	// The two have one test, since most of it brings them about.
	"circuit-open": func(t *testing.T, _ *scripted, _ *digate) {
		TestOverload_OpenCircuitAndFullQueue_AreNotSentOnBothProtocols(t)
	},
	"overloaded": func(t *testing.T, _ *scripted, _ *digate) {
		TestOverload_OpenCircuitAndFullQueue_AreNotSentOnBothProtocols(t)
	},
	"drift-fail": func(t *testing.T, _ *scripted, _ *digate) { TestDrift_SetToFail_FailsReadsAndNoCopies(t) },
	"timeout": func(t *testing.T, up *scripted, _ *digate) {
		d := start(t, up.url(), func(c *config.Config) { c.Upstream.Timeout = 100 * time.Millisecond })
		up.will(hang)
		wantREST(t, d.copyREST(t, templateID, `{}`), 504, "UNKNOWN", "OUTCOME_UNKNOWN")
	},
	"caller-timeout": func(t *testing.T, _ *scripted, _ *digate) { TestTimeout_OfARESTCaller_EndsItsRequest(t) },
	"prefer-wait": func(t *testing.T, _ *scripted, _ *digate) {
		TestWaiting_CallerThatPrefersNotTo_HearsTheFirstVerdict(t)
	},
	"credential-first": func(t *testing.T, up *scripted, d *digate) {
		wantREST(t, d.copyREST(t, "x", `{`, "Authorization", ""), 401, "NOT_SENT", "MISSING_CREDENTIAL")
		wantREST(t, d.do(t, "GET", "/nothing", "", "Authorization", ""), 401, "NOT_SENT", "MISSING_CREDENTIAL")
	},
	"one-mistake": func(t *testing.T, up *scripted, d *digate) {
		rest := d.copyREST(t, "x", `{"name":1,"api_key":2}`)
		if rest.status != 422 || rest.body != `{"detail":[{"type":"string_type","loc":["body","name"],"msg":"must be a string"}]}` {
			t.Errorf("%d %s", rest.status, rest.body)
		}
	},
	"byte-order-mark": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(201, nil, full))
		wantREST(t, d.copyREST(t, templateID, "\ufeff{\r\n\"name\":\"n\"}\r\n"), 201, "", "")
		if got := up.one(t).body; got != `{"name":"n"}` {
			t.Errorf("Diga got %s", got)
		}
		rest := d.do(t, "POST", "/v1/integration/template:bulkCopy", "\ufeff"+`{"request_id":"b-1","template_id":"`+templateID+`"}`+"\r\n\r\n")
		if rest.status != 200 || !strings.Contains(rest.body, `"done":1`) {
			t.Errorf("%d %s", rest.status, rest.body)
		}
	},
	"one-element": func(t *testing.T, up *scripted, d *digate) {
		for body, loc := range map[string]string{
			`{"variables":{"a.b":"\ud800"}}`:           `["body","variables","a.b"]`,
			`{"variables":{"a[0]":{"":[0,"\ud800"]}}}`: `["body","variables","a[0]","",1]`,
			`{"variables":{"a":{".":{"]":"\ud800"}}}}`: `["body","variables","a",".","]"]`,
			`{"variables":{"a.b":1,"a.b":2}}`:          `["body","variables","a.b"]`,
			`{"variables":{"body":["\ud800"]}}`:        `["body","variables","body",0]`,
		} {
			rest := d.copyREST(t, templateID, body)
			if rest.status != 422 || !strings.Contains(rest.body, `"loc":`+loc+`,`) {
				t.Errorf("%s: %d %s", body, rest.status, rest.body)
			}
		}
		rest := d.do(t, "POST", "/v1/integration/"+id+"/tool", `{"name":"n","description":"d","endpoint_path":"/","method":"GET","body":[7]}`)
		if rest.status != 422 || !strings.Contains(rest.body, `"loc":["body","body",0]`) {
			t.Errorf("%d %s", rest.status, rest.body)
		}
	},
	"hyphenated-ids": func(t *testing.T, up *scripted, d *digate) {
		for _, other := range []string{strings.ReplaceAll(templateID, "-", ""), "%7B" + templateID + "%7D", "urn:uuid:" + templateID} {
			rest := d.copyREST(t, other, `{}`)
			if rest.status != 422 || !strings.Contains(rest.body, `"type":"uuid_parsing","loc":["path","template_id"]`) {
				t.Errorf("%s: %d %s", other, rest.status, rest.body)
			}
		}
	},
	"checked-first": func(t *testing.T, up *scripted, d *digate) {
		for request, detail := range map[string]string{
			"POST /v1/integration {}":           `{"type":"missing","loc":["body","name"],"msg":"is required"},{"type":"missing","loc":["body","base_url"],"msg":"is required"},{"type":"missing","loc":["body","integration_type"],"msg":"is required"}`,
			"GET /v1/integration?limit=101 ":    `{"type":"less_than_equal","loc":["query","limit"],"msg":"must be 100 or less"}`,
			"GET /v1/integration?order=random ": `{"type":"enum","loc":["query","order"],"msg":"must be one of asc, desc"}`,
		} {
			part := strings.SplitN(request, " ", 3)
			if rest := d.do(t, part[0], part[1], part[2]); rest.status != 422 || rest.body != `{"detail":[`+detail+`]}` {
				t.Errorf("%s: %d %s", request, rest.status, rest.body)
			}
		}
	},
	"duplicate-keys": refused(`{"name":"a","name":"b"}`, `{"type":"duplicate_key","loc":["body","name"]`),
	"tool-timeout": func(t *testing.T, up *scripted, d *digate) {
		const tool = `{"name":"n","description":"d","endpoint_path":"/","method":"GET","timeout":%s}`
		up.will(respond(201, nil, `{"id":"`+id+`","type":"HTTP"}`))
		if rest := d.do(t, "POST", "/v1/integration/"+id+"/tool", fmt.Sprintf(tool, "2147483647")); rest.status != 201 {
			t.Errorf("%d %s", rest.status, rest.body)
		}
		if rest := d.do(t, "POST", "/v1/integration/"+id+"/tool", fmt.Sprintf(tool, "2147483648")); rest.status != 422 || !strings.Contains(rest.body, `"loc":["body","timeout"]`) {
			t.Errorf("%d %s", rest.status, rest.body)
		}
	},
	"null-is-unset": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(201, nil, `{"id":"`+id+`","type":"HTTP"}`))
		rest := d.do(t, "POST", "/v1/integration/"+id+"/tool", `{"name":"n","description":"d","endpoint_path":"/","method":"GET","approval_required":null}`)
		if sent := up.received(); rest.status != 201 || strings.Contains(sent[len(sent)-1].body, "approval_required") {
			t.Errorf("%d %s", rest.status, rest.body)
		}
		rest = d.do(t, "POST", "/v1/integration/"+id+"/tool", `{"name":null,"description":"d","endpoint_path":"/","method":"GET"}`)
		if wantREST(t, rest, 422, "NOT_SENT", ""); !strings.Contains(rest.body, `"type":"missing"`) {
			t.Error(rest.body)
		}
		up.will(respond(200, nil, full))
		if rest := d.do(t, "PATCH", "/v1/integration/"+id, `{"name":null}`); rest.status != 200 || !strings.Contains(up.received()[len(up.received())-1].body, `"name":null`) {
			t.Errorf("%d %s", rest.status, rest.body)
		}
	},
	"strict-types": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(201, nil, full))
		for request, loc := range map[string]string{
			"POST /v1/integration/" + id + `/tool {"timeout":"7"}`:           `["body","timeout"]`,
			"POST /v1/integration/" + id + `/tool {"approval_required":1}`:   `["body","approval_required"]`,
			"POST /v1/integration/" + id + `/tool {"approval_required":"1"}`: `["body","approval_required"]`,
			"GET /v1/integration?limit=5.0 ":                                 `["query","limit"]`,
		} {
			part := strings.SplitN(request, " ", 3)
			if rest := d.do(t, part[0], part[1], part[2]); rest.status != 422 || !strings.Contains(rest.body, `"loc":`+loc) {
				t.Errorf("%s: %d %s", request, rest.status, rest.body)
			}
		}
	},
	"same-integers": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(201, nil, full))
		wantREST(t, d.copyREST(t, templateID, `{"variables":{"a":9007199254740994,"b":9007199254740994.0,"c":1e21,"d":-0}}`), 201, "", "")
		if got := up.one(t).body; got != `{"variables":{"a":9007199254740994,"b":9007199254740994,"c":1e+21,"d":-0}}` {
			t.Errorf("Diga got %s", got)
		}
	},
	"broken-unicode": func(t *testing.T, up *scripted, d *digate) {
		refused("{\"name\":\"\xc3\"}", `{"type":"string_unicode","loc":["body","name"]`)(t, up, d)
		refused(`{"variables":{"a":"\udc00"}}`, `{"type":"string_unicode","loc":["body","variables","a"]`)(t, up, d)
	},
	"nesting": func(t *testing.T, up *scripted, d *digate) {
		nested := func(n int) string {
			return `{"variables":{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}}`
		}
		refused(nested(99), `{"type":"recursion_loop"`)(t, up, d)
		refused(`{"variables":{"a":[0`+strings.Repeat(",0", 100_000)+`]}}`, `{"type":"too_long","loc":["body","variables","a",99999]`)(t, up, d)
		up.will(respond(201, nil, full))
		wantREST(t, d.copyREST(t, templateID, nested(98)), 201, "", "")
		wantREST(t, d.copyREST(t, templateID, `{"ignored":`+strings.Repeat("[", 200)+strings.Repeat("]", 200)+`}`), 201, "", "")
	},
	"body-bound": func(t *testing.T, up *scripted, _ *digate) {
		d := start(t, up.url(), func(c *config.Config) { c.MaxRequestBytes = 2000 })
		up.will(respond(201, nil, full))
		fill := func(n int) string { return `{"name":"` + strings.Repeat("a", n-len(`{"name":""}`)) + `"}` }
		wantREST(t, d.copyREST(t, templateID, fill(2000)), 201, "", "")
		wantREST(t, d.copyREST(t, templateID, fill(2001)), 413, "NOT_SENT", "REQUEST_TOO_LARGE")
	},
	"idempotency-key": func(t *testing.T, up *scripted, d *digate) {
		for _, bad := range []string{strings.Repeat("k", 256), "é", `""`} {
			rest := d.copyREST(t, templateID, `{}`, "Idempotency-Key", bad)
			if rest.status != 422 || !strings.Contains(rest.body, `"loc":["header","idempotency-key"]`) {
				t.Errorf("%d %s", rest.status, rest.body)
			}
		}
		up.will(respond(201, nil, full))
		for range 2 {
			wantREST(t, d.copyREST(t, templateID, `{}`, "Idempotency-Key", strings.Repeat("k", 255)), 201, "", "")
		}
		got := up.received()
		if len(got) != 2 || got[0].header.Get("Idempotency-Key") != "" || !strings.HasPrefix(got[1].line, "GET ") {
			t.Errorf("Diga received %v", got)
		}
	},
	"replayed": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(201, nil, full))
		first := d.copyREST(t, templateID, `{}`, "Idempotency-Key", "replayed")
		again := d.copyREST(t, templateID, `{}`, "Idempotency-Key", `"replayed"`)
		if first.status != 201 || first.header.Get("Digate-Replayed") != "" {
			t.Errorf("%d %v", first.status, first.header)
		}
		if again.status != 201 || again.header.Get("Digate-Replayed") != "true" || again.body != full {
			t.Errorf("%d %v %s", again.status, again.header, again.body)
		}
		other := d.copyREST(t, templateID, `{"name":"x"}`, "Idempotency-Key", "replayed")
		if wantREST(t, other, 422, "NOT_SENT", ""); !strings.Contains(other.body, `"loc":["header","idempotency-key"],"msg":"was used for another request"`) {
			t.Error(other.body)
		}
		up.will(respond(404, nil, envelope))
		wantREST(t, d.copyREST(t, templateID, `{}`, "Idempotency-Key", "replayed"), 409, "DONE", "ALREADY_CREATED")
	},
	"in-doubt": func(t *testing.T, up *scripted, d *digate) {
		up.will(inTurn(raw("", true), respond(200, nil, `{"data":[],"has_more":false}`)))
		wantREST(t, d.copyREST(t, templateID, `{}`, "Idempotency-Key", "in-doubt"), 502, "UNKNOWN", "OUTCOME_UNKNOWN")
		wantREST(t, d.copyREST(t, templateID, `{}`, "Idempotency-Key", "in-doubt"), 409, "UNKNOWN", "OUTCOME_UNKNOWN")
	},
	"marked": func(t *testing.T, up *scripted, _ *digate) {
		up.will(asDiga(full, `{"id":"`+id+`","name":"asked"}`))
		rest := start(t, up.url(), marking).copyREST(t, templateID, `{"name":"asked"}`, "Idempotency-Key", "marked")
		if rest.status != 201 || rest.body != `{"id":"`+id+`","name":"asked"}` {
			t.Errorf("%d %s", rest.status, rest.body)
		}
		if got := up.received(); len(got) != 2 || !markIn.MatchString(got[0].body) || markIn.MatchString(got[1].body) {
			t.Errorf("Diga received %v", got)
		}
	},
	"preview-route": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(200, nil, `{"id":"`+templateID+`","name":"t","language":"es","template":{"base_url":"https://<<shop>>"}}`))
		rest := d.do(t, "POST", "/v1/integration/template/"+templateID+":previewCopy", `{"variables":{"shop":"x"}}`)
		if rest.status != 200 || !strings.Contains(rest.body, `"base_url":"https://x"`) || posts(up) != 0 {
			t.Errorf("%d %s, %d copies", rest.status, rest.body, posts(up))
		}
	},
	"stream-routes": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(200, nil, `{"data":[`+full+`],"has_more":false}`))
		for path, want := range map[string]string{
			"/v1/integration:stream": `{"integration":{"id":"`, "/v1/integration/template:stream": `{"template":{"id":"`,
			"/v1/integration/" + id + "/tool:stream": `{"tool":`,
		} {
			rest := d.do(t, "GET", path, "")
			if rest.status != 200 || !strings.HasPrefix(rest.body, want) || !strings.HasSuffix(rest.body, "\n"+`{"summary":{"items":1}}`+"\n") {
				t.Errorf("%s: %d %s", path, rest.status, rest.body)
			}
		}
	},
	"unresolved": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(200, nil, `{"id":"`+templateID+`","name":"t","language":"es","template":{"base_url":"https://<<shop>>"}}`))
		wantREST(t, d.copyREST(t, templateID, `{}`, "Digate-Unresolved", "refuse"), 422, "NOT_SENT", "")
		wantREST(t, d.copyREST(t, templateID, `{}`, "Digate-Unresolved", "never"), 422, "NOT_SENT", "")
		if posts(up) != 0 {
			t.Errorf("%d copies", posts(up))
		}
	},
	"bulk-route": func(t *testing.T, _ *scripted, _ *digate) { TestBulkREST_LinesOfEveryKind_HaveAResultLineEach(t) },
	"unknown-route": func(t *testing.T, up *scripted, d *digate) {
		for _, path := range []string{"/", "/v1", "/v1/integration/", "/v1/integration/template/" + templateID + "/copy/", "//v1/integration/template/" + templateID + "/copy", "/v1/./integration"} {
			rest := d.do(t, "POST", path, `{}`)
			wantREST(t, rest, 404, "NOT_SENT", "ROUTE_NOT_FOUND")
			if rest.header.Get("Location") != "" {
				t.Errorf("%s: redirected", path)
			}
		}
		// An id is never empty.
		for _, verb := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			wantREST(t, d.do(t, verb, "/v1/integration/", `{}`), 404, "NOT_SENT", "ROUTE_NOT_FOUND")
			wantREST(t, d.do(t, verb, "/v1/integration/template//copy", `{}`), 404, "NOT_SENT", "ROUTE_NOT_FOUND")
		}
	},
	"unknown-method": func(t *testing.T, up *scripted, d *digate) {
		rest := d.do(t, "PUT", "/v1/integration/template/"+templateID+"/copy", `{}`)
		wantREST(t, rest, 405, "NOT_SENT", "METHOD_NOT_ALLOWED")
		if rest.header.Get("Allow") != "OPTIONS, POST" {
			t.Errorf("Allow %q", rest.header.Get("Allow"))
		}
	},
	"decoded-path": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(200, nil, `{"data":[],"has_more":false}`))
		wantREST(t, d.do(t, "GET", "/v1/integr%61tion/"+id+"%2Ftool", ""), 200, "", "")
		if got := up.one(t).line; got != "GET /v1/integration/"+id+"/tool HTTP/1.1" {
			t.Errorf("Diga received %s", got)
		}
	},
	"head": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(200, nil, full))
		rest := d.do(t, "HEAD", "/v1/integration/"+id, "")
		if rest.status != 200 || rest.body != "" || rest.header.Get("Content-Length") != strconv.Itoa(len(full)) {
			t.Errorf("%d %v %q", rest.status, rest.header, rest.body)
		}
		if got := up.one(t).line; got != "GET /v1/integration/"+id+" HTTP/1.1" {
			t.Errorf("Diga received %s", got)
		}
		wantREST(t, d.do(t, "HEAD", "/v1/integration/x", ""), 422, "NOT_SENT", "")
	},
	"options": func(t *testing.T, up *scripted, d *digate) {
		for path, allow := range map[string]string{
			"/v1/integration/" + id: "DELETE, GET, HEAD, OPTIONS, PATCH",
			"*":                     "DELETE, GET, HEAD, OPTIONS, PATCH, POST",
		} {
			rest := d.options(t, path, "Bearer "+token)
			if wantREST(t, rest, 204, "", ""); rest.header.Get("Allow") != allow || rest.body != "" {
				t.Errorf("%s: %v %q", path, rest.header, rest.body)
			}
			wantREST(t, d.options(t, path, ""), 401, "NOT_SENT", "MISSING_CREDENTIAL")
		}
		wantREST(t, d.do(t, "OPTIONS", "/v1/nothing", ""), 404, "NOT_SENT", "ROUTE_NOT_FOUND")
	},
	"no-cors": func(t *testing.T, _ *scripted, d *digate) {
		preflight := []string{"Authorization", "", "Origin", "https://app.example", "Access-Control-Request-Method", "POST"}
		rest := d.do(t, "OPTIONS", "/v1/integration", "", preflight...)
		if wantREST(t, rest, 401, "NOT_SENT", "MISSING_CREDENTIAL"); rest.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v", rest.header)
		}
	},
	"tls-required": func(t *testing.T, up *scripted, _ *digate) {
		d := start(t, up.url(), func(c *config.Config) { withPair(t, certstest.NewAuthority(t), c) })
		rest := send(t, d.http, "POST", "http://"+d.HTTPAddr().String(), copyPath, `{}`)
		wantREST(t, rest, 400, "NOT_SENT", "TLS_REQUIRED")
	},
	"prior-knowledge": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(201, nil, full))
		rest := send(t, priorKnowledge(t), "POST", d.rest, "/v1/integration/template/"+templateID+"/copy", `{}`)
		if wantREST(t, rest, 201, "", ""); rest.body != full {
			t.Errorf("%s", rest.body)
		}
		rest = d.copyREST(t, templateID, `{}`, "Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c", "HTTP2-Settings", "AAMAAABkAAQAAP__")
		if wantREST(t, rest, 201, "", ""); rest.body != full {
			t.Errorf("%s", rest.body)
		}
	},
	"chunked-closes": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(201, nil, full))
		for _, both := range []string{"", "Content-Length: 2\r\n"} {
			c := connect(t, d.HTTPAddr())
			request := "POST " + copyPath + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\nTransfer-Encoding: chunked\r\n" + both + "\r\n2\r\n{}\r\n0\r\n\r\n"
			_, _ = io.WriteString(c, request+request)
			b, err := io.ReadAll(c) // to the end of the connection
			if text := string(b); err != nil || strings.Count(text, "HTTP/1.1 201 ") != 1 || strings.Count(text, "\r\nConnection: close\r\n") != 1 {
				t.Errorf("%v: %s", err, text)
			}
		}
	},
	"any-content-type": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(201, nil, full))
		for _, ct := range []string{"", "text/plain", "application/x-www-form-urlencoded", "nonsense"} {
			wantREST(t, d.copyREST(t, templateID, `{"name":"n"}`, "Content-Type", ct), 201, "", "")
		}
	},
	"empty-is-null": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(200, nil, full))
		_ = d.do(t, "PATCH", "/v1/integration/"+id, `{"headers":{}}`)
		if got := up.one(t).body; got != `{"headers":null}` {
			t.Errorf("Diga received %s", got)
		}
	},
	"same-value-other-bytes": func(t *testing.T, up *scripted, d *digate) {
		up.will(respond(201, nil, full))
		_ = d.copyREST(t, templateID, ` { "variables" : {"b":1.0, "a":null} , "new":1, "base_url":null, "name":"\u0041" } `)
		if got, want := up.one(t).body, `{"name":"A","variables":{"a":null,"b":1}}`; got != want {
			t.Errorf("Diga received %s, want %s", got, want)
		}
		for _, number := range []string{"9007199254740993", "1000000000000000000000", "0.1234567890123456789", "1e400"} {
			up.will(respond(201, nil, full))
			variables := `{ "b":1.0,"a" : [null,` + number + `] }`
			_ = d.copyREST(t, templateID, `{"variables" : `+variables+`, "new":1, "name":"\u0041"}`)
			if got, want := up.one(t).body, `{"name":"A","variables":`+variables+`}`; got != want {
				t.Errorf("Diga received %s, want %s", got, want)
			}
		}
	},
	"not-http": func(t *testing.T, up *scripted, d *digate) {
		for _, request := range []string{"nonsense\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 64<<10) + "\r\n\r\n"} {
			c := connect(t, d.HTTPAddr())
			_, _ = io.WriteString(c, request)
			b, _ := io.ReadAll(c)
			_ = c.Close()
			if len(b) > 0 && !strings.Contains(string(b), "Content-Type: text/plain") {
				t.Errorf("got %q", b)
			}
		}
	},
}

// refused returns the test of a body that is refused and not sent. The first
// detail of the response begins with the given text.
func refused(body, detail string) difference {
	return func(t *testing.T, up *scripted, d *digate) {
		t.Helper()
		up.will(respond(201, nil, full))
		rest := d.copyREST(t, templateID, body)
		if rest.status != 422 || !strings.HasPrefix(rest.body, `{"detail":[`+detail) {
			t.Errorf("%.60s: %d %.300s", body, rest.status, rest.body)
		}
		up.none(t)
	}
}

// wantREST fails the test unless the response has the status, the Digate-Outcome
// and, if it is not empty, digate's own envelope with the reason.
func wantREST(t *testing.T, got response, status int, outcome, reason string) {
	t.Helper()
	if got.status != status || got.header.Get("Digate-Outcome") != outcome {
		t.Errorf("%d, outcome %q, %.300s; want %d, %q", got.status, got.header.Get("Digate-Outcome"), got.body, status, outcome)
	}
	if reason != "" {
		wantEnvelope(t, got.body, reason)
	}
}

func TestDifferences_EveryLineOfTheDocument_Holds(t *testing.T) {
	text, err := os.ReadFile("../docs/differences.md")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, m := range regexp.MustCompile(`(?m)^- \*\*([a-z-]+)\*\*: `).FindAllSubmatch(text, -1) {
		lines = append(lines, string(m[1]))
	}
	for name := range differences {
		if !slices.Contains(lines, name) {
			t.Errorf("%s has a test and no line on the page", name)
		}
	}
	up := newScripted(t)
	d := start(t, up.url())
	for _, name := range lines {
		show, ok := differences[name]
		if !ok {
			t.Errorf("%s has a line on the page and no test", name)
			continue
		}
		up.will(func(c net.Conn, r sent) bool {
			t.Error(fmt.Sprint("an unexpected request: ", r.line))
			return false
		})
		t.Run(name, func(t *testing.T) { show(t, up, d) })
	}
}

// deflated returns the text in HTTP's deflate.
func deflated(text string) string {
	var b bytes.Buffer
	zw := zlib.NewWriter(&b)
	_, _ = io.WriteString(zw, text)
	_ = zw.Close()
	return b.String()
}

// utf32Of returns the text in UTF-32.
func utf32Of(text string) string {
	var out []byte
	for _, r := range text {
		out = binary.BigEndian.AppendUint32(out, uint32(r))
	}
	return string(out)
}
