package server_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/upstream"
)

const templateID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"

// Integrations as Diga may write them.
const (
	full = `{"id":"0b6a0f43-3e5e-4c53-9d5b-6f0f6f3b2f11","name":"Tienda ñ","description":"d","base_url":"https://x.example/v1",` +
		`"auth_type":"API_KEY","integration_type":"HTTP","auth_key":"` + apiKey + `","headers":{"B":"2","A":"1"},"requires_setup":true,` +
		`"source_integration_template_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","created_at":"2026-11-23T20:02:11.123456Z","updated_at":"2026-11-23T20:02:11Z"}`
	nulls = `{"id":"0b6a0f43-3e5e-4c53-9d5b-6f0f6f3b2f11","name":"n","description":null,"base_url":"b","auth_type":"NONE",` +
		`"integration_type":"MCP","auth_key":null,"headers":null,"requires_setup":false,"source_integration_template_id":null,` +
		`"created_at":"2026-11-23T20:02:11","updated_at":"2026-11-23T20:02:11+00:00"}`
	poor = `{"id":"0b6a0f43-3e5e-4c53-9d5b-6f0f6f3b2f11","name":"n","description":null,"base_url":"b","auth_key":null,"headers":null,` +
		`"source_integration_template_id":null,"created_at":"2023-11-07T05:31:56Z","updated_at":"2023-11-07T05:31:56Z","requires_setup":false}`
	odd = " \n{ \"updated_at\" : \"2026-11-23 20:02:11.5+01:00\",\t\"future\": {\"deep\":[1,2.50,{\"a\":null}]},\"id\":\"0b6a0f43-3e5e-4c53-9d5b-6f0f6f3b2f11\"," +
		"\"auth_type\":\"OAUTH2\",\"name\":\"\\u00e9\\/\",\"requires_setup\":\"yes\",\"headers\":{\"h\":1}}\r\n"
)

const id = "0b6a0f43-3e5e-4c53-9d5b-6f0f6f3b2f11"

func at(seconds int64, nanos int32) *timestamppb.Timestamp {
	return &timestamppb.Timestamp{Seconds: seconds, Nanos: nanos}
}

func same(t *testing.T, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", prototext.Format(got), prototext.Format(want))
	}
}

func TestCopyTemplate_DigasResponse_IsRelayedInRESTAndReadInGRPC(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	for name, c := range map[string]struct {
		status int
		body   string
		want   *integrationv1.Integration
	}{
		"full": {201, full, &integrationv1.Integration{
			Id: id, Name: "Tienda ñ", Description: proto.String("d"), BaseUrl: "https://x.example/v1",
			AuthType: integrationv1.AuthType_AUTH_TYPE_API_KEY, IntegrationType: integrationv1.IntegrationType_INTEGRATION_TYPE_HTTP,
			AuthKey: proto.String(apiKey), Headers: map[string]string{"A": "1", "B": "2"}, RequiresSetup: true,
			SourceIntegrationTemplateId: proto.String(templateID),
			CreatedAt:                   at(1795464131, 123456000), UpdatedAt: at(1795464131, 0),
		}},
		"nulls": {201, nulls, &integrationv1.Integration{
			Id: id, Name: "n", BaseUrl: "b", AuthType: integrationv1.AuthType_AUTH_TYPE_NONE,
			IntegrationType: integrationv1.IntegrationType_INTEGRATION_TYPE_MCP,
			CreatedAt:       at(1795464131, 0), UpdatedAt: at(1795464131, 0),
		}},
		"poor": {200, poor, &integrationv1.Integration{
			Id: id, Name: "n", BaseUrl: "b", CreatedAt: at(1699335116, 0), UpdatedAt: at(1699335116, 0),
		}},
		"oddly formatted": {202, odd, &integrationv1.Integration{
			Id: id, Name: "é/", UpdatedAt: at(1795460531, 500000000), Headers: map[string]string{},
		}},
		"id alone": {299, `{"id":"` + id + `"}`, &integrationv1.Integration{Id: id}},
	} {
		t.Run(name, func(t *testing.T) {
			up.will(respond(c.status, nil, c.body))
			got, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, c.want)
			up.one(t)

			up.will(respond(c.status, nil, c.body))
			rest := d.copyREST(t, templateID, `{}`)
			if rest.status != c.status || rest.body != c.body {
				t.Errorf("REST: %d %q, want Diga's %d %q", rest.status, rest.body, c.status, c.body)
			}
			if got := rest.header.Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type = %q", got)
			}
			if got := rest.header.Get("Digate-Outcome"); got != "" {
				t.Errorf("Digate-Outcome = %q on a success", got)
			}
			up.one(t)
		})
	}
}

func TestCopyTemplate_DigasError_IsRelayedInREST(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	for _, c := range []struct {
		status int
		body   string
	}{
		{404, `{"status":"error","error_code":"INTEGRATION_TEMPLATE_NOT_FOUND","message":"Error: Integration Template Not Found"}`},
		{404, " { \"message\" : \"x\\u0041\" , \"error_code\":\"A_B\"}\n"},
		{422, `{"detail":[{"type":"uuid_parsing","loc":["path","template_id"],"msg":"Input should be…","input":"` + apiKey + `","ctx":{"error":"e"},"url":"u"}]}`},
		{403, `{"detail":"Not authenticated"}`},
		{500, `{"status":"error","error_code":"INTERNAL_SERVER_ERROR","message":"Error: Internal Server Error"}`},
		{503, `{"status":"error","error_code":"WORKFLOW_SERVICE_UNAVAILABLE","message":"later"}`},
	} {
		up.will(respond(c.status, map[string]string{"X-Upstream": "1"}, c.body))
		rest := d.copyREST(t, templateID, `{}`)
		if rest.status != c.status || rest.body != c.body {
			t.Errorf("REST: %d %q, want Diga's %d %q", rest.status, rest.body, c.status, c.body)
		}
		if rest.header.Get("X-Upstream") != "" {
			t.Error("a header that is not on the allow-list was passed on")
		}
		up.one(t)
	}
}

// Every field of a copy in every state, sent over gRPC and REST: both must become
// the same request to Diga, byte for byte.
func TestCopyTemplate_EachFieldInEachState_SendsExactBytes(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	object := func(text string) *structpb.Struct {
		s := new(structpb.Struct)
		if err := s.UnmarshalJSON([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return s
	}
	type request = integrationv1.CopyTemplateRequest
	cases := []struct {
		name string
		set  func(*request)
		rest string // the request's JSON
		want string // the JSON that Diga gets
	}{
		{"nothing", func(*request) {}, `{}`, `{}`},

		{"name null", func(*request) {}, `{"name":null}`, `{}`},
		{"name empty", func(r *request) { r.Name = proto.String("") }, `{"name":""}`, `{"name":""}`},
		{"name", func(r *request) { r.Name = proto.String("a\"\\\n\x01é</>😀\x7f") }, `{"name":"a\"\\\n\u0001é<\/>\ud83d\ude00\u007f"}`,
			`{"name":"a\"\\\n\u0001é</>😀` + "\x7f" + `"}`},

		{"api_key null", func(*request) {}, `{"api_key":null}`, `{}`},
		{"api_key empty", func(r *request) { r.ApiKey = proto.String("") }, `{"api_key":""}`, `{"api_key":""}`},
		{"api_key", func(r *request) { r.ApiKey = proto.String(apiKey) }, `{"api_key":"` + apiKey + `"}`, `{"api_key":"` + apiKey + `"}`},

		{"base_url null", func(*request) {}, `{"base_url":null}`, `{}`},
		{"base_url empty", func(r *request) { r.BaseUrl = proto.String("") }, `{"base_url":""}`, `{"base_url":""}`},
		{"base_url", func(r *request) { r.BaseUrl = proto.String("https://x/<<a>>?b&c") }, `{"base_url":"https://x/<<a>>?b&c"}`, `{"base_url":"https://x/<<a>>?b&c"}`},

		{"variables null", func(*request) {}, `{"variables":null}`, `{}`},
		{"variables empty", func(r *request) { r.Variables = object(`{}`) }, `{"variables":{}}`, `{"variables":{}}`},
		{"variables", func(r *request) {
			r.Variables = object(`{"z":"` + varSec + `","a":[1,-0.5,true,null,{"k":{}}],"n":9007199254740992,"e":1e300,"f":1.0}`)
		},
			`{"variables":{"z":"` + varSec + `","a":[1,-0.5,true,null,{"k":{}}],"n":9007199254740992,"e":1e300,"f":1.0}}`,
			`{"variables":{"a":[1,-0.5,true,null,{"k":{}}],"e":1e+300,"f":1,"n":9007199254740992,"z":"` + varSec + `"}}`},

		{"variables of large integers", func(r *request) {
			r.Variables = object(`{"a":[9007199254740994,-9223372036854775808,18446744073709551616],"b":999999999999999868928,"c":1e20,"d":1e21}`)
		},
			`{"variables":{"d":1e21,"c":1e20,"b":999999999999999868928,"a":[9007199254740994,-9223372036854775808,18446744073709551616]}}`,
			`{"variables":{"a":[9007199254740994,-9223372036854775808,18446744073709551616],"b":999999999999999868928,"c":100000000000000000000,"d":1e+21}}`},

		{"variables of many digits", func(r *request) {
			r.VariablesJson = proto.String(`{ "z":"` + varSec + `", "n" : 1234567890123456789,"a":[-9007199254740993,0.1234567890123456789,1.0,1e400]}`)
		},
			` {"name":null, "variables" :{ "z":"` + varSec + `", "n" : 1234567890123456789,"a":[-9007199254740993,0.1234567890123456789,1.0,1e400]} } `,
			`{"variables":{ "z":"` + varSec + `", "n" : 1234567890123456789,"a":[-9007199254740993,0.1234567890123456789,1.0,1e400]}}`},

		{"variables of few digits, as JSON", func(r *request) { r.VariablesJson = proto.String(`{"a":1}`) }, `{"variables":{"a":1}}`, `{"variables":{"a":1}}`},

		{"request_id", func(r *request) { r.RequestId = "r-1" }, `{"request_id":"ignored: facade-only","template_id":7,"unknown":{"a":[]}}`, `{}`},
		{"all", func(r *request) {
			r.Name, r.ApiKey, r.BaseUrl, r.Variables = proto.String("n"), proto.String(apiKey), proto.String("b"), object(`{"v":"1"}`)
		}, `{"variables":{"v":"1"},"base_url":"b","api_key":"` + apiKey + `","name":"n"}`,
			`{"name":"n","api_key":"` + apiKey + `","base_url":"b","variables":{"v":"1"}}`},
	}
	check := func(t *testing.T, got sent, want string) {
		t.Helper()
		if got.line != "POST /v1/integration/template/"+templateID+"/copy HTTP/1.1" {
			t.Errorf("request line %q", got.line)
		}
		if got.body != want {
			t.Errorf("body %s, want %s", got.body, want)
		}
		header := fmt.Sprint(got.header)
		wantHeader := fmt.Sprint(map[string][]string{
			"Accept": {"application/json"}, "Accept-Encoding": {"identity"}, "Authorization": {"Bearer " + token},
			"Content-Length": {strconv.Itoa(len(want))}, "Content-Type": {"application/json"}, "User-Agent": {"digate/test"},
		})
		if header != wantHeader {
			t.Errorf("header %s\nwant   %s", header, wantHeader)
		}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			req := &integrationv1.CopyTemplateRequest{TemplateId: templateID}
			c.set(req)
			up.will(respond(201, nil, full))
			if _, err := d.copyRPC(t, req); err != nil {
				t.Fatal(err)
			}
			check(t, up.one(t), c.want)

			up.will(respond(201, nil, full))
			rest := d.copyREST(t, templateID, c.rest, "Idempotency-Key", "k-"+c.name, "Grpc-Metadata-X", "1", "Cookie", "c=1")
			if rest.status != 201 || rest.body != full {
				t.Fatalf("REST: %d %s", rest.status, rest.body)
			}
			check(t, up.one(t), c.want)
		})
	}
}

// A 2xx whose body is cut or malformed is a success if the id can be read, and
// otherwise unknown.
func TestCopyTemplate_MalformedSuccess_IsASuccessIfItHasAnID(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	head := func(n int) string {
		return fmt.Sprintf("HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", n)
	}
	withID := `{"id":"` + id + `","name":"n","base_u`
	for name, s := range map[string]script{
		"cut short":        raw(head(500)+withID, false),
		"reset":            raw(head(len(withID)+1)+withID, false),
		"trailing garbage": respond(201, nil, `{"id":"`+id+`","name":"n"}{`),
	} {
		t.Run(name, func(t *testing.T) {
			up.will(s)
			got, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
			if err != nil || got.GetId() != id || got.GetName() != "n" {
				t.Fatalf("got %v, %v", got, err)
			}
			up.one(t)
			up.will(s)
			rest := d.copyREST(t, templateID, `{}`)
			want := `{"id":"` + id + `","name":"n","base_url":null,"auth_type":null,"integration_type":null,"created_at":null,"updated_at":null,` +
				`"description":null,"auth_key":null,"headers":{},"requires_setup":false,"source_integration_template_id":null}`
			if rest.status != 201 || rest.body != want {
				t.Errorf("REST: %d %s\nwant %s", rest.status, rest.body, want)
			}
			up.one(t)
		})
	}
	noID := map[string]script{
		"cut within the id": raw(head(500)+`{"name":"n","id":"0b6a0f43-`, false),
		"no body":           respond(201, nil, ""),
		"204":               respond(204, nil, ""),
		"id null":           respond(201, nil, `{"id":null,"name":"n"}`),
		"id a number":       respond(201, nil, `{"id":7}`),
		"id empty":          respond(201, nil, `{"id":""}`),
		"HTML":              respond(200, map[string]string{"Content-Type": "text/html"}, "<html>ok</html>"),
		"an array":          respond(201, nil, `[{"id":"`+id+`"}]`),
	}
	for name, s := range noID {
		t.Run(name, func(t *testing.T) {
			up.will(s)
			_, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
			if err == nil || err.Outcome != exchange.Unknown || err.Code.String() != "Unknown" || err.RetryAfter != nil {
				t.Fatalf("got %v, want UNKNOWN", err)
			}
			up.one(t)
			up.will(s)
			rest := d.copyREST(t, templateID, `{}`)
			if rest.status != 502 || rest.header.Get("Digate-Outcome") != "UNKNOWN" || rest.header.Get("Retry-After") != "" || !json.Valid([]byte(rest.body)) {
				t.Errorf("REST: %d %v %s", rest.status, rest.header, rest.body)
			}
			if strings.Contains(rest.body, "html") {
				t.Error("Diga's HTML is quoted")
			}
			up.one(t)
		})
	}
}

// An integer that no double holds is left out of the Struct alone, and the JSON
// beside it has it. The contract is kept, so that --drift=fail does not refuse it.
func TestGetTemplate_IntegerOf19Digits_LosesNothingElse(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.Upstream.Drift = upstream.DriftFail })
	const inner = `{"account":1234567890123456789,"steps":[1234567890123456789,{"id":9007199254740994}],"url":"https://x"}`
	body := `{"id":"` + templateID + `","name":"n","language":"en","description":null,"setup_guide_url":null,"template":` + inner + `}`
	up.will(respond(200, nil, body))
	resp, err := d.rpc.GetTemplate(withToken(t.Context(), token), &integrationv1.GetTemplateRequest{TemplateId: templateID})
	if err != nil {
		t.Fatal(err)
	}
	got := resp.GetTemplate()
	want, _ := structpb.NewStruct(map[string]any{"steps": []any{nil, map[string]any{"id": 9007199254740994.0}}, "url": "https://x"})
	same(t, got.GetTemplate(), want)
	if got.GetTemplateJson() != inner {
		t.Errorf("the JSON is %s", got.GetTemplateJson())
	}
	if rest := d.do(t, "GET", "/v1/integration/template/"+templateID, ""); rest.status != 200 || rest.body != body {
		t.Errorf("%d %s", rest.status, rest.body)
	}
	for _, kind := range []string{"template.*: int_not_exact", "template.*.*: int_not_exact"} {
		if !strings.Contains(d.scrape(t), `digate_upstream_drift_total{kind="`+kind+`"} 2`) {
			t.Errorf("%s is not counted", kind)
		}
	}
	// A list as a stream is written anew, and has it too.
	up.will(respond(200, nil, `{"data":[`+body+`],"has_more":false}`))
	if rest := d.do(t, "GET", "/v1/integration/template:stream", ""); !strings.Contains(rest.body, `"template":`+inner+`}}`+"\n") {
		t.Errorf("%d %s", rest.status, rest.body)
	}
}

// What gRPC reads of a tool it can write again.
func TestTool_FixedValueOf19Digits_IsReadAndWrittenInFull(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.Upstream.Drift = upstream.DriftFail })
	const (
		query  = `"query":[{"name":"q","data_type":"integer","value_source":"fixed","fixed_value":1234567890123456789}]`
		params = `"body":[{"name":"b","data_type":"object","properties":[{"name":"p","data_type":"number","value_source":"fixed","fixed_value":0.1234567890123456789}]}]`
		tool   = `{"type":"HTTP","id":"` + templateID + `","name":"t","description":"d","endpoint_path":"/","method":"GET",` + query + `,` + params + `}`
	)
	up.will(respond(200, nil, tool))
	ctx := withToken(t.Context(), token)
	read, err := d.rpc.GetTool(ctx, &integrationv1.GetToolRequest{IntegrationId: id, ToolId: templateID})
	if err != nil {
		t.Fatal(err)
	}
	got := read.GetTool().GetHttp()
	if q := got.GetQuery()[0]; q.FixedValue != nil || q.GetFixedValueJson() != "1234567890123456789" {
		t.Errorf("got %v", q)
	}
	p := got.GetBody()[0].GetProperties()[0]
	if p.GetFixedValue().GetNumberValue() != 0.12345678901234568 || p.GetFixedValueJson() != "0.1234567890123456789" {
		t.Errorf("got %v", p)
	}
	p.FixedValue = nil
	want := func(what, verb string) {
		t.Helper()
		all := up.received()
		if sent := all[len(all)-1]; !strings.HasPrefix(sent.line, verb+" ") || !strings.Contains(sent.body, query) || !strings.Contains(sent.body, params) {
			t.Errorf("%s: Diga received %s %s", what, sent.line, sent.body)
		}
	}
	if _, err := d.rpc.UpdateTool(ctx, &integrationv1.UpdateToolRequest{IntegrationId: id, ToolId: templateID, Query: got.GetQuery(), Body: got.GetBody()}); err != nil {
		t.Error(err)
	}
	want("UpdateTool", "PATCH")
	up.will(respond(201, nil, tool))
	if _, err := d.rpc.CreateTool(ctx, &integrationv1.CreateToolRequest{
		IntegrationId: id, Name: proto.String("t"), Description: proto.String("d"), EndpointPath: proto.String("/"), Method: integrationv1.HttpMethod_HTTP_METHOD_GET,
		Query: got.GetQuery(), Body: got.GetBody(),
	}); err != nil {
		t.Error(err)
	}
	want("CreateTool", "POST")
	if rest := d.do(t, "POST", "/v1/integration/"+id+"/tool", tool); rest.status != 201 || rest.body != tool {
		t.Errorf("%d %s", rest.status, rest.body)
	}
	want("a new tool over REST", "POST")
	up.will(respond(200, nil, tool))
	if rest := d.do(t, "PATCH", "/v1/integration/"+id+"/tool/"+templateID, `{`+query+`,`+params+`}`); rest.status != 200 || rest.body != tool {
		t.Errorf("%d %s", rest.status, rest.body)
	}
	want("PATCH", "PATCH")
	// A value in both forms, and one that is no JSON, are named.
	for field, param := range map[string]*integrationv1.QueryParam{
		"query[0].fixed_value_json": {FixedValue: structpb.NewNumberValue(1), FixedValueJson: proto.String("1")},
		"query[1].fixed_value_json": {FixedValueJson: proto.String("01")},
	} {
		params := []*integrationv1.QueryParam{param}
		if strings.Contains(field, "[1]") {
			params = append([]*integrationv1.QueryParam{{}}, param)
		}
		_, err := d.rpc.UpdateTool(ctx, &integrationv1.UpdateToolRequest{IntegrationId: id, ToolId: templateID, Query: params})
		if e := apierror.FromError(err); e == nil || e.Code != codes.InvalidArgument || len(e.Violations) != 1 || e.Violations[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
