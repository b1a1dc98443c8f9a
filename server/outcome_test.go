package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/test/rig"
)

const envelope = `{"status":"error","error_code":"SOME_CODE","message":"the words of Diga"}`

// Each row of the outcome table, over both protocols, with exactly one request to
// Diga.
func TestOutcomes_EachRowOfTheTable_IsReturnedOnBothProtocolsAndSentOnce(t *testing.T) {
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.Upstream.Timeout = 300 * time.Millisecond })
	html := map[string]string{"Content-Type": "text/html"}
	type row struct {
		name    string
		script  script
		code    codes.Code
		reason  string
		domain  string
		outcome exchange.Outcome
		retry   bool // RetryInfo and Retry-After
		rest    int
		body    string // empty where the body is digate's own
	}
	both := func(status int, code codes.Code, ownReason string, outcome exchange.Outcome, retry bool) []row {
		return []row{
			{fmt.Sprintf("%d envelope", status), respond(status, nil, envelope), code, "SOME_CODE", "diga.io", outcome, retry, status, envelope},
			{fmt.Sprintf("%d HTML", status), respond(status, html, "<html>"+apiKey+"</html>"), code, ownReason, "digate", outcome, retry, status, ""},
		}
	}
	var rows []row
	for _, r := range [][]row{
		both(400, codes.InvalidArgument, "INVALID_REQUEST", exchange.Rejected, false),
		both(422, codes.InvalidArgument, "INVALID_REQUEST", exchange.Rejected, false),
		both(401, codes.Unauthenticated, "UPSTREAM_UNEXPECTED", exchange.Rejected, false),
		both(403, codes.PermissionDenied, "UPSTREAM_UNEXPECTED", exchange.Rejected, false),
		both(404, codes.NotFound, "UPSTREAM_UNEXPECTED", exchange.Rejected, false),
		both(412, codes.FailedPrecondition, "UPSTREAM_UNEXPECTED", exchange.Rejected, false),
		both(409, codes.AlreadyExists, "UPSTREAM_UNEXPECTED", exchange.Rejected, false),
		both(410, codes.NotFound, "UPSTREAM_UNEXPECTED", exchange.Rejected, false),
		both(429, codes.ResourceExhausted, "RATE_LIMITED", exchange.Rejected, true),
		both(418, codes.FailedPrecondition, "UPSTREAM_UNEXPECTED", exchange.Rejected, false),
		both(500, codes.Internal, "UPSTREAM_ERROR", exchange.Unknown, false),
		both(502, codes.Unknown, "UPSTREAM_GATEWAY", exchange.Unknown, false),
		both(504, codes.Unknown, "UPSTREAM_GATEWAY", exchange.Unknown, false),
		both(520, codes.Unknown, "UPSTREAM_GATEWAY", exchange.Unknown, false),
		{
			{"503 envelope", respond(503, nil, envelope), codes.Unavailable, "SOME_CODE", "diga.io", exchange.Rejected, true, 503, envelope},
			{"503 of a proxy", respond(503, html, "<html>"), codes.Unknown, "UPSTREAM_GATEWAY", "digate", exchange.Unknown, false, 503, ""},
			{"302, not followed", respond(302, map[string]string{"Location": up.url() + "/elsewhere"}, ""), codes.Unknown, "UPSTREAM_UNEXPECTED", "digate", exchange.Unknown, false, 502, ""},
			{"303, which says where it is", respond(303, map[string]string{"Location": "/v1/integration/" + id}, ""), codes.Unknown, "UPSTREAM_UNEXPECTED", "digate", exchange.Unknown, false, 502, ""},
			{"408 of a proxy", respond(408, nil, "<html>"), codes.Unknown, "UPSTREAM_UNEXPECTED", "digate", exchange.Unknown, false, 408, ""},
			{"307, not followed", respond(307, map[string]string{"Location": "/v1/integration"}, ""), codes.Internal, "UPSTREAM_UNEXPECTED", "digate", exchange.Rejected, false, 502, ""},
			{"101", respond(101, map[string]string{"Upgrade": "x", "Connection": "Upgrade"}, ""), codes.Unknown, "UPSTREAM_INVALID_RESPONSE", "digate", exchange.Unknown, false, 502, ""},
			{"reset after sending", raw("", true), codes.Unknown, "OUTCOME_UNKNOWN", "digate", exchange.Unknown, false, 502, ""},
			{"closed after sending", raw("", false), codes.Unknown, "OUTCOME_UNKNOWN", "digate", exchange.Unknown, false, 502, ""},
			{"not HTTP", raw("SSH-2.0-"+apiKey+"\r\n\r\n", false), codes.Unknown, "OUTCOME_UNKNOWN", "digate", exchange.Unknown, false, 502, ""},
			{"endless header", raw("HTTP/1.1 200 OK\r\n"+strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 200), false), codes.Unknown, "OUTCOME_UNKNOWN", "digate", exchange.Unknown, false, 502, ""},
			{"hang", hang, codes.DeadlineExceeded, "OUTCOME_UNKNOWN", "digate", exchange.Unknown, false, 504, ""},
			{"200 without an id", respond(200, nil, `{"name":"x"}`), codes.Unknown, "UPSTREAM_INVALID_RESPONSE", "digate", exchange.Unknown, false, 502, ""},
		},
	} {
		rows = append(rows, r...)
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			up.will(r.script)
			timeout := 20 * time.Second
			if r.code == codes.DeadlineExceeded {
				timeout = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(withToken(t.Context(), token), timeout)
			defer cancel()
			_, err := d.copyCtx(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
			if err == nil {
				t.Fatal("the call succeeded")
			}
			if err.Code != r.code || err.Reason != r.reason || err.Domain != r.domain || err.Outcome != r.outcome || (err.RetryAfter != nil) != r.retry {
				t.Errorf("got %v, retry %v; want %v %s (%s, %v), retry %v", err, err.RetryAfter, r.code, r.reason, r.domain, r.outcome, r.retry)
			}
			up.one(t)

			up.will(r.script)
			rest := d.copyREST(t, templateID, `{}`)
			if rest.status != r.rest || rest.header.Get("Digate-Outcome") != r.outcome.String() || (rest.header.Get("Retry-After") != "") != r.retry {
				t.Errorf("REST: %d %v, want %d, %v, retry %v", rest.status, rest.header, r.rest, r.outcome, r.retry)
			}
			if r.body != "" && rest.body != r.body {
				t.Errorf("REST: %s, want Diga's own body", rest.body)
			}
			if r.body == "" {
				wantEnvelope(t, rest.body, r.reason)
			}
			up.one(t)
		})
	}
}

// hang is a script that never responds. It ends with the connection.
func hang(c net.Conn, _ sent) bool {
	_, _ = c.Read(make([]byte, 1))
	return false
}

// wantEnvelope fails the test unless the body is an error of digate's own: Diga's
// envelope with our reason, and nothing secret in it.
func wantEnvelope(t *testing.T, body, reason string) {
	t.Helper()
	var e map[string]string
	if err := json.Unmarshal([]byte(body), &e); err != nil || len(e) != 3 || e["status"] != "error" || e["error_code"] != reason || e["message"] == "" {
		t.Errorf("got %s, want the envelope with %s", body, reason)
	}
	if strings.Contains(body, marker) || strings.Contains(body, "<html>") {
		t.Errorf("the response quotes what it must not: %s", body)
	}
}

func TestOutcomes_DigaNotThere_IsNotSent(t *testing.T) {
	d := start(t, "http://"+rig.FreeAddr(t))
	_, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
	if e == nil || e.Code != codes.Unavailable || e.Reason != "UPSTREAM_UNREACHABLE" || e.Outcome != exchange.NotSent || e.RetryAfter == nil {
		t.Errorf("got %v", e)
	}
	rest := d.copyREST(t, templateID, `{}`)
	if rest.status != 503 || rest.header.Get("Retry-After") == "" || rest.header.Get("Digate-Outcome") != "NOT_SENT" {
		t.Errorf("REST: %d %v", rest.status, rest.header)
	}
	wantEnvelope(t, rest.body, "UPSTREAM_UNREACHABLE")
}

func TestOutcomes_DeadlineAndCancelOfTheCaller_EndTheConnectionToDiga(t *testing.T) {
	up := newScripted(t)
	d := start(t, up.url())

	closed := make(chan struct{})
	up.will(func(c net.Conn, r sent) bool { hang(c, r); close(closed); return false })
	ctx, cancel := context.WithTimeout(withToken(t.Context(), token), 200*time.Millisecond)
	defer cancel()
	_, e := d.copyCtx(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
	if e == nil || e.Code != codes.DeadlineExceeded || e.Outcome != exchange.Unknown {
		t.Errorf("deadline: got %v", e)
	}
	<-closed // the connection to Diga ended with the call
	up.one(t)

	closed = make(chan struct{})
	ctx, cancel = context.WithCancel(withToken(t.Context(), token))
	up.will(func(c net.Conn, r sent) bool { cancel(); hang(c, r); close(closed); return false })
	_, e = d.copyCtx(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
	if e == nil || e.Code != codes.Canceled || e.Outcome != exchange.Unknown {
		t.Errorf("cancel: got %v", e)
	}
	<-closed
	up.one(t)
}

func TestOutcomes_InvalidRequest_NamesTheFieldAndSendsNothing(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	up.will(respond(201, nil, full))
	deep := structpb.NewNullValue()
	for range 150 {
		deep = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{deep}})
	}
	variables := func(v *structpb.Value) *structpb.Struct {
		return &structpb.Struct{Fields: map[string]*structpb.Value{"a": v}}
	}
	for field, req := range map[string]*integrationv1.CopyTemplateRequest{
		"template_id": {TemplateId: ".."},
		"request_id":  {TemplateId: templateID, RequestId: "a\nb"},
		"variables.a": {TemplateId: templateID, Variables: variables(structpb.NewNumberValue(nan()))},
		"variables.a[0]": {TemplateId: templateID, Variables: variables(
			structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{{}}}))},
		"variables.a" + strings.Repeat("[0]", 50): {TemplateId: templateID, Variables: variables(deep)},
	} {
		_, e := d.copyRPC(t, req)
		if e == nil || e.Code != codes.InvalidArgument || e.Reason != "INVALID_REQUEST" || e.Outcome != exchange.NotSent {
			t.Errorf("%s: got %v", field, e)
			continue
		}
		if len(e.Violations) != 1 || !strings.HasPrefix(e.Violations[0].Field, field) || e.Violations[0].Description == "" {
			t.Errorf("violations %+v, want %s", e.Violations, field)
		}
	}

	for _, c := range []struct{ body, loc, kind string }{
		{``, `["body"]`, "missing"},
		{`x`, `["body",0]`, "json_invalid"},
		{`{"name":"a"`, `["body",11]`, "json_invalid"},
		{`{"name":"a"} {}`, `["body",13]`, "json_invalid"},
		{`{"name":"a",}`, `["body",12]`, "json_invalid"},
		{`[]`, `["body"]`, "model_attributes_type"},
		{`"` + apiKey + `"`, `["body"]`, "model_attributes_type"},
		{`{"name":5}`, `["body","name"]`, "string_type"},
		{`{"api_key":["` + apiKey + `"]}`, `["body","api_key"]`, "string_type"},
		{`{"name":"a","name":"a"}`, `["body","name"]`, "duplicate_key"},
		{`{"variables":[]}`, `["body","variables"]`, "dict_type"},
		{`{"variables":{"a":{"b":1,"b":2}}}`, `["body","variables","a","b"]`, "duplicate_key"},
		{`{"variables":{"a":[9007199254740993,"\udc00"]}}`, `["body","variables","a",1]`, "string_unicode"},
		{`{"variables":{"n":1e999,"a":[0,{"b":1,"b":2}]}}`, `["body","variables","a",1,"b"]`, "duplicate_key"},
		{`{"name":"` + "\xff" + `"}`, `["body","name"]`, "string_unicode"},
		{`{"name":"\ud800"}`, `["body","name"]`, "string_unicode"},
		{`{"variables":` + strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000) + `}`, `["body","variables"]`, "dict_type"},
	} {
		rest := d.copyREST(t, templateID, c.body)
		var got struct {
			Detail []struct {
				Loc  json.RawMessage `json:"loc"`
				Type string          `json:"type"`
				Msg  string          `json:"msg"`
			} `json:"detail"`
		}
		if err := json.Unmarshal([]byte(rest.body), &got); err != nil || rest.status != 422 || len(got.Detail) != 1 {
			t.Errorf("%.40s: %d %s", c.body, rest.status, rest.body)
			continue
		}
		if e := got.Detail[0]; string(e.Loc) != c.loc || e.Type != c.kind || e.Msg == "" {
			t.Errorf("%.40s: got %s, want loc %s, type %s", c.body, rest.body, c.loc, c.kind)
		}
		if rest.header.Get("Digate-Outcome") != "NOT_SENT" || strings.Contains(rest.body, marker) {
			t.Errorf("%.40s: %v %s", c.body, rest.header, rest.body)
		}
	}
	nested := d.copyREST(t, templateID, `{"variables":{"a":`+strings.Repeat("[", 50_000)+strings.Repeat("]", 50_000)+`}}`)
	if nested.status != 422 || len(nested.body) > 2000 || !strings.Contains(nested.body, "recursion_loop") {
		t.Errorf("50,000 deep: %d %.300s", nested.status, nested.body)
	}
	up.none(t)
}

func nan() float64 { var zero float64; return zero / zero }
