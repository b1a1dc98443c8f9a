package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/emulator"
	"github.com/digate/digate/server/exchange"
)

// emulated starts an emulator. Every emulator that it starts has the same ids and
// times, so that two of them respond to the same requests with the same bytes.
func emulated(t *testing.T) (*emulator.Emulator, string) {
	t.Helper()
	now := time.Date(2026, 11, 23, 20, 2, 11, 123456000, time.UTC)
	return emulate(t, emulator.Options{Seed: 7, Now: func() time.Time { now = now.Add(time.Second); return now }})
}

// emulate starts an emulator and returns it with its base URL.
func emulate(t *testing.T, o emulator.Options) (*emulator.Emulator, string) {
	t.Helper()
	e := emulator.New(o)
	srv := httptest.NewServer(e)
	t.Cleanup(func() { e.Close(); srv.Close() })
	return e, srv.URL
}

// The same requests, from an integration's creation to its end and with mistakes,
// are sent to Diga and to digate in front of another Diga in the same state: the
// responses are equal to the byte.
func TestREST_WholeLifeOfAnIntegration_RespondsAsDigaDoes(t *testing.T) {
	t.Parallel()
	emu, direct := emulated(t)
	_, behind := emulated(t)
	d := start(t, behind)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	var last string // the body of the response before
	grab := func(key string) string {
		_, rest, ok := strings.Cut(last, `"`+key+`":"`)
		if !ok {
			t.Fatalf("no %s in %s", key, last)
		}
		value, _, _ := strings.Cut(rest, `"`)
		return value
	}
	step := func(want int, method, path, body string) {
		t.Helper()
		digas := send(t, http.DefaultClient, method, direct, path, body)
		got := d.do(t, method, path, body)
		if digas.status != want {
			t.Fatalf("%s %s: Diga responds with %d, want %d: %s", method, path, digas.status, want, digas.body)
		}
		if got.status != digas.status || got.body != digas.body {
			t.Errorf("%s %s\n%d %s\nwant Diga's\n%d %s", method, path, got.status, got.body, digas.status, digas.body)
		}
		if outcome := got.header.Get("Digate-Outcome"); (outcome == "") != (want < 400) {
			t.Errorf("%s %s: Digate-Outcome %q", method, path, outcome)
		}
		last = digas.body
	}
	const none = "11111111-1111-4111-8111-111111111111"

	step(200, "GET", "/v1/integration/template", "")
	step(200, "GET", "/v1/integration/template?limit=2&page=2&order=asc&language=es", "")
	step(200, "GET", "/v1/integration/template?language=en&unknown=1&limit=3", "")
	step(200, "GET", "/v1/integration/template?limit=9&limit=1", "")
	step(200, "GET", "/v1/integration/template?after="+templateID+"&limit=2", "")
	step(422, "GET", "/v1/integration/template?after="+none, "")
	step(200, "GET", "/v1/integration/template/"+templateID, "")
	step(404, "GET", "/v1/integration/template/"+none, "")

	step(201, "POST", "/v1/integration/template/"+templateID+"/copy", `{"name":"Tienda","base_url":null}`)
	first := grab("id")
	step(201, "POST", "/v1/integration/template/"+templateID+"/copy", `{"name":"Zwei","api_key":"k","variables":{"shop":"x"}}`)
	step(201, "POST", "/v1/integration", `{"name":"Own","base_url":"https://x","integration_type":"HTTP","headers":{"a":"1","b":"2"},"description":null}`)
	own := grab("id")
	step(200, "GET", "/v1/integration", "")
	step(200, "GET", "/v1/integration?limit=1&order=asc", "")
	step(200, "GET", "/v1/integration?integration_type=MCP", "")
	step(200, "GET", "/v1/integration?page=2&limit=2", "")
	step(200, "GET", "/v1/integration/"+own, "")
	step(404, "GET", "/v1/integration/"+none, "")

	step(200, "PATCH", "/v1/integration/"+own, `{}`)
	step(200, "PATCH", "/v1/integration/"+own, `{"name":"Renamed","auth_key":"k2","description":"d"}`)
	step(200, "PATCH", "/v1/integration/"+own, `{"description":null,"headers":null,"unknown":1}`)
	step(200, "PATCH", "/v1/integration/"+own, `{"headers":{"z":"1"}}`)
	step(404, "PATCH", "/v1/integration/"+none, `{"name":"x"}`)

	step(200, "GET", "/v1/integration/"+first+"/tool", "")
	step(200, "GET", "/v1/integration/"+first+"/tool?limit=1&order=asc&page=1", "")
	tool := grab("id")
	step(200, "GET", "/v1/integration/"+first+"/tool/"+tool, "")
	step(404, "GET", "/v1/integration/"+first+"/tool/"+none, "")
	step(201, "POST", "/v1/integration/"+own+"/tool", `{"name":"t1","description":"d","endpoint_path":"/a/{id}","method":"POST",
		"path":[{"name":"id"}],"query":[{"name":"q","data_type":"integer","value_source":"fixed","fixed_value":9007199254740994}],
		"body":[{"name":"o","data_type":"object","properties":[{"name":"p","data_type":"string","required":false}]}],
		"headers":{"H":"1"},"timeout":7,"approval_required":true,"execution_audio":"waiting_music","pre_speech":"force"}`)
	mine := grab("id")
	step(409, "POST", "/v1/integration/"+own+"/tool", `{"name":"t1","description":"d","endpoint_path":"/b","method":"GET"}`)
	step(200, "PATCH", "/v1/integration/"+own+"/tool/"+mine, `{"execution_audio":null,"timeout":null,"query":null,"pre_speech":"auto"}`)
	step(200, "PATCH", "/v1/integration/"+own+"/tool/"+mine, `{}`)
	step(200, "GET", "/v1/integration/"+own+"/tool", "")
	step(204, "DELETE", "/v1/integration/"+own+"/tool/"+mine, "")
	step(404, "DELETE", "/v1/integration/"+own+"/tool/"+mine, "")

	step(204, "DELETE", "/v1/integration/"+own, "")
	step(404, "DELETE", "/v1/integration/"+own, "")
	step(404, "GET", "/v1/integration/"+own+"/tool", "")
	step(200, "GET", "/v1/integration", "")
	for _, template := range emu.Templates() {
		step(200, "GET", "/v1/integration/template/"+template.ID, "")
		step(201, "POST", "/v1/integration/template/"+template.ID+"/copy", `{}`)
		step(200, "GET", "/v1/integration/"+grab("id")+"/tool", "")
	}
	// The emulator shares no code with the contract, and keeps to it.
	for line := range strings.Lines(d.scrape(t)) {
		if strings.HasPrefix(line, "digate_upstream_drift_total{") {
			t.Errorf("the emulator departs from the contract: %s", line)
		}
	}
}

func TestGRPC_WholeLifeOfAnIntegration_Succeeds(t *testing.T) {
	t.Parallel()
	emu, url := emulated(t)
	d := start(t, url)
	ctx := withToken(t.Context(), token)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	templates, err := d.rpc.ListTemplates(ctx, &integrationv1.ListTemplatesRequest{Limit: proto.Int32(2), Order: integrationv1.Order_ORDER_ASC})
	must(err)
	if len(templates.GetData()) != 2 || !templates.GetHasMore() || templates.GetFirstId() != templates.GetData()[0].GetId() || templates.CurrentPage != nil {
		t.Errorf("templates: %v", templates)
	}
	template, err := d.rpc.GetTemplate(ctx, &integrationv1.GetTemplateRequest{TemplateId: templateID})
	must(err)
	if template.GetTemplate().GetId() != templateID || len(template.GetTemplate().GetTemplate().GetFields()) == 0 {
		t.Errorf("template: %v", template)
	}
	copied, err := d.rpc.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
	must(err)
	if !copied.GetIntegration().GetRequiresSetup() {
		t.Error("a copy without its key and variables requires no setup")
	}
	id := copied.GetIntegration().GetId()

	// The mask names what changes: name is set, description is cleared, and base_url
	// is left as it is although the request has a value for it.
	updated, err := d.rpc.UpdateIntegration(ctx, &integrationv1.UpdateIntegrationRequest{
		IntegrationId: id, Name: proto.String("new"), BaseUrl: proto.String("https://ignored"),
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"name", "description"}},
	})
	must(err)
	if got := updated.GetIntegration(); got.GetName() != "new" || got.Description != nil || got.GetBaseUrl() == "https://ignored" {
		t.Errorf("updated: %v", got)
	}
	// Without a mask, every field that is set changes.
	updated, err = d.rpc.UpdateIntegration(ctx, &integrationv1.UpdateIntegrationRequest{IntegrationId: id, BaseUrl: proto.String("https://b"), AuthKey: proto.String(apiKey)})
	must(err)
	if got := updated.GetIntegration(); got.GetName() != "new" || got.GetBaseUrl() != "https://b" || got.GetAuthKey() != apiKey {
		t.Errorf("updated: %v", got)
	}

	tools, err := d.rpc.ListTools(ctx, &integrationv1.ListToolsRequest{IntegrationId: id})
	must(err)
	if len(tools.GetData()) == 0 || tools.GetData()[0].GetHttp().GetId() == "" {
		t.Errorf("tools: %v", tools)
	}
	created, err := d.rpc.CreateTool(ctx, &integrationv1.CreateToolRequest{
		IntegrationId: id, Name: proto.String("t"), Description: proto.String("d"), EndpointPath: proto.String("/x"),
		Method: integrationv1.HttpMethod_HTTP_METHOD_POST, ExecutionAudio: integrationv1.ExecutionAudio_EXECUTION_AUDIO_WAITING_MUSIC,
		Query: []*integrationv1.QueryParam{{
			Name: proto.String("q"), DataType: integrationv1.DataType_DATA_TYPE_NUMBER,
			ValueSource: integrationv1.ParamValueSource_PARAM_VALUE_SOURCE_FIXED, FixedValue: structpb.NewNumberValue(1.5),
		}},
	})
	must(err)
	tool := created.GetTool().GetHttp()
	if tool.GetExecutionAudio() != integrationv1.ExecutionAudio_EXECUTION_AUDIO_WAITING_MUSIC || tool.GetPreSpeech() != integrationv1.PreSpeech_PRE_SPEECH_AUTO ||
		tool.GetQuery()[0].GetFixedValue().GetNumberValue() != 1.5 || !tool.GetQuery()[0].GetRequired() {
		t.Errorf("created: %v", tool)
	}
	changed, err := d.rpc.UpdateTool(ctx, &integrationv1.UpdateToolRequest{
		IntegrationId: id, ToolId: tool.GetId(), ApprovalRequired: proto.Bool(true),
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"approval_required", "execution_audio"}},
	})
	must(err)
	if got := changed.GetTool().GetHttp(); !got.GetApprovalRequired() || got.GetExecutionAudio() != 0 || got.GetName() != "t" {
		t.Errorf("changed: %v", got)
	}
	one, err := d.rpc.GetTool(ctx, &integrationv1.GetToolRequest{IntegrationId: id, ToolId: tool.GetId()})
	must(err)
	if !proto.Equal(one.GetTool(), changed.GetTool()) {
		t.Errorf("got %v, want %v", one, changed)
	}
	_, err = d.rpc.DeleteTool(ctx, &integrationv1.DeleteToolRequest{IntegrationId: id, ToolId: tool.GetId()})
	must(err)
	_, err = d.rpc.DeleteTool(ctx, &integrationv1.DeleteToolRequest{IntegrationId: id, ToolId: tool.GetId()})
	wantFailure(t, err, codes.NotFound, exchange.Rejected)

	list, err := d.rpc.ListIntegrations(ctx, &integrationv1.ListIntegrationsRequest{IntegrationType: integrationv1.IntegrationType_INTEGRATION_TYPE_HTTP})
	must(err)
	if len(list.GetData()) != 1 || list.GetData()[0].GetId() != id {
		t.Errorf("list: %v", list)
	}
	_, err = d.rpc.DeleteIntegration(ctx, &integrationv1.DeleteIntegrationRequest{IntegrationId: id})
	must(err)
	_, err = d.rpc.GetIntegration(ctx, &integrationv1.GetIntegrationRequest{IntegrationId: id})
	wantFailure(t, err, codes.NotFound, exchange.Rejected)
	if left := emu.Integrations(token); len(left) != 0 {
		t.Errorf("Diga still has %v", left)
	}
}

func wantFailure(t *testing.T, err error, code codes.Code, outcome exchange.Outcome) {
	t.Helper()
	if err == nil {
		t.Error("the call succeeded")
		return
	}
	if e := apierror.FromError(err); e.Code != code || e.Outcome != outcome {
		t.Errorf("got %v, want %v, %v", e, code, outcome)
	}
}

// A read may be called again, so a read with an unknown outcome is UNAVAILABLE,
// where a write is UNKNOWN.
func TestReads_OutcomeUnknown_IsUnavailableAndMayBeRetried(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	for name, s := range map[string]script{"reset": raw("", true), "502": respond(502, nil, "<html>")} {
		up.will(s)
		_, err := d.rpc.GetIntegration(withToken(t.Context(), token), &integrationv1.GetIntegrationRequest{IntegrationId: id})
		e := apierror.FromError(err)
		if e.Code != codes.Unavailable || e.Outcome != exchange.Unknown || e.RetryAfter == nil {
			t.Errorf("%s, a read: %v", name, e)
		}
		_, err = d.rpc.DeleteIntegration(withToken(t.Context(), token), &integrationv1.DeleteIntegrationRequest{IntegrationId: id})
		e = apierror.FromError(err)
		if e.Code != codes.Unknown || e.Outcome != exchange.Unknown || e.RetryAfter != nil {
			t.Errorf("%s, a write: %v", name, e)
		}
	}
}

func TestLists_QueryParameters_AreSentInTheContractsOrder(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	page := respond(200, nil, `{"data":[],"has_more":false}`)
	for want, call := range map[string]struct {
		grpc func() error
		rest string
	}{
		"GET /v1/integration HTTP/1.1": {func() error {
			_, err := d.rpc.ListIntegrations(withToken(t.Context(), token), &integrationv1.ListIntegrationsRequest{})
			return err
		}, "/v1/integration"},
		"GET /v1/integration?after=" + id + "&page=3&limit=100&order=desc&integration_type=MCP HTTP/1.1": {func() error {
			_, err := d.rpc.ListIntegrations(withToken(t.Context(), token), &integrationv1.ListIntegrationsRequest{
				After: proto.String(id), Page: proto.Int32(3), Limit: proto.Int32(100), Order: integrationv1.Order_ORDER_DESC,
				IntegrationType: integrationv1.IntegrationType_INTEGRATION_TYPE_MCP,
			})
			return err
		}, "/v1/integration?integration_type=MCP&order=desc&limit=100&page=3&after=" + id + "&other=1"},
		"GET /v1/integration/template?before=" + id + "&limit=1&language=%C3%B1+%26 HTTP/1.1": {func() error {
			_, err := d.rpc.ListTemplates(withToken(t.Context(), token), &integrationv1.ListTemplatesRequest{
				Before: proto.String(id), Limit: proto.Int32(1), Language: proto.String("ñ &"),
			})
			return err
		}, "/v1/integration/template?language=%C3%B1%20%26&limit=1&before=" + id},
	} {
		up.will(page)
		if err := call.grpc(); err != nil {
			t.Fatal(err)
		}
		got := up.one(t)
		if got.line != want || got.body != "" || got.header.Get("Content-Type") != "" || got.header.Get("Content-Length") != "" {
			t.Errorf("gRPC: %v, want %s", got, want)
		}
		up.will(page)
		if rest := d.do(t, "GET", call.rest, ""); rest.status != 200 {
			t.Fatalf("REST: %d %s", rest.status, rest.body)
		}
		if got := up.one(t).line; got != want {
			t.Errorf("REST: %s, want %s", got, want)
		}
	}
	up.will(page)
	for query, loc := range map[string]string{
		"limit=5;x=1": "limit", "order=%zz": "order", "limit=%35%": "limit", "limit=1&limit=0": "limit", "limit=5.0": "limit",
		"limit=0": "limit", "limit=101": "limit", "limit=x": "limit", "limit=": "limit", "page=0": "page", "page=99999999999": "page",
		"order=up": "order", "order=ORDER_ASC": "order", "order=": "order", "integration_type=http": "integration_type",
		"after=x": "after", "before=": "before", "integration_type=INTEGRATION_TYPE_HTTP": "integration_type",
	} {
		rest := d.do(t, "GET", "/v1/integration?"+query, "")
		if rest.status != 422 || !strings.Contains(rest.body, `"loc":["query","`+loc+`"]`) || rest.header.Get("Digate-Outcome") != "NOT_SENT" {
			t.Errorf("%s: %d %s", query, rest.status, rest.body)
		}
	}
	up.none(t)
}

// Every field of an update is absent, null or set, as AIP-134 has it; the request
// to Diga is compared byte for byte.
func TestUpdates_EachFieldAbsentNullOrSet_SendsExactlyWhatTheMaskNames(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	update := func(t *testing.T, path, body, want string, call func() error, response string) {
		t.Helper()
		up.will(respond(200, nil, response))
		if rest := d.do(t, "PATCH", path, body); rest.status != 200 {
			t.Fatalf("REST: %d %s", rest.status, rest.body)
		}
		if got := up.one(t); got.body != want || got.line != "PATCH "+path+" HTTP/1.1" {
			t.Errorf("REST: %s %s, want %s", got.line, got.body, want)
		}
		up.will(respond(200, nil, response))
		if err := call(); err != nil {
			t.Fatal(err)
		}
		if got := up.one(t).body; got != want {
			t.Errorf("gRPC: %s, want %s", got, want)
		}
	}
	ctx := func() context.Context { return withToken(t.Context(), token) }
	mask := func(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

	type integration = integrationv1.UpdateIntegrationRequest
	for field, f := range map[string]struct {
		json string
		set  func(*integration)
	}{
		"name":        {`"n"`, func(r *integration) { r.Name = proto.String("n") }},
		"description": {`"d"`, func(r *integration) { r.Description = proto.String("d") }},
		"base_url":    {`""`, func(r *integration) { r.BaseUrl = proto.String("") }},
		"auth_key":    {`"` + apiKey + `"`, func(r *integration) { r.AuthKey = proto.String(apiKey) }},
		"headers":     {`{"a":"1","b":"2"}`, func(r *integration) { r.Headers = map[string]string{"b": "2", "a": "1"} }},
	} {
		path := "/v1/integration/" + id
		call := func(r *integration) func() error {
			r.IntegrationId = id
			return func() error { _, err := d.rpc.UpdateIntegration(ctx(), r); return err }
		}
		t.Run(field, func(t *testing.T) {
			set := new(integration)
			f.set(set)
			set.UpdateMask = mask(field)
			update(t, path, `{"`+field+`":`+f.json+`}`, `{"`+field+`":`+f.json+`}`, call(set), full)
			update(t, path, `{"`+field+`":null}`, `{"`+field+`":null}`, call(&integration{UpdateMask: mask(field)}), full)
			absent := new(integration)
			f.set(absent)
			absent.UpdateMask = mask("name")
			if field == "name" {
				absent = &integration{UpdateMask: mask("description")}
				update(t, path, `{"description":null}`, `{"description":null}`, call(absent), full)
			} else {
				update(t, path, `{"name":null}`, `{"name":null}`, call(absent), full)
			}
			unmasked := new(integration)
			f.set(unmasked)
			update(t, path, `{"`+field+`":`+f.json+`}`, `{"`+field+`":`+f.json+`}`, call(unmasked), full)
		})
	}
	update(t, "/v1/integration/"+id, `{}`, `{}`, func() error {
		_, err := d.rpc.UpdateIntegration(ctx(), &integration{IntegrationId: id})
		return err
	}, full)

	type tool = integrationv1.UpdateToolRequest
	const flat = `{"id":"` + id + `","type":"HTTP","name":"n","description":null,"endpoint_path":"/","query":[],"body":[],"path":[],"headers":null,"method":"GET"}`
	for field, f := range map[string]struct {
		json string
		set  func(*tool)
	}{
		"name":              {`"n"`, func(r *tool) { r.Name = proto.String("n") }},
		"description":       {`"d"`, func(r *tool) { r.Description = proto.String("d") }},
		"endpoint_path":     {`"/p"`, func(r *tool) { r.EndpointPath = proto.String("/p") }},
		"query":             {`[{"name":"q"}]`, func(r *tool) { r.Query = []*integrationv1.QueryParam{{Name: proto.String("q")}} }},
		"body":              {`[{"name":"b"}]`, func(r *tool) { r.Body = []*integrationv1.BodyParam{{Name: proto.String("b")}} }},
		"path":              {`[{"name":"p"}]`, func(r *tool) { r.Path = []*integrationv1.PathParam{{Name: proto.String("p")}} }},
		"headers":           {`{"a":"1"}`, func(r *tool) { r.Headers = map[string]string{"a": "1"} }},
		"method":            {`"PUT"`, func(r *tool) { r.Method = integrationv1.HttpMethod_HTTP_METHOD_PUT }},
		"timeout":           {`0`, func(r *tool) { r.Timeout = proto.Int32(0) }},
		"approval_required": {`false`, func(r *tool) { r.ApprovalRequired = proto.Bool(false) }},
		"execution_audio":   {`"typing"`, func(r *tool) { r.ExecutionAudio = integrationv1.ExecutionAudio_EXECUTION_AUDIO_TYPING }},
		"pre_speech":        {`"auto"`, func(r *tool) { r.PreSpeech = integrationv1.PreSpeech_PRE_SPEECH_AUTO }},
	} {
		path := "/v1/integration/" + id + "/tool/" + templateID
		call := func(r *tool) func() error {
			r.IntegrationId, r.ToolId = id, templateID
			return func() error { _, err := d.rpc.UpdateTool(ctx(), r); return err }
		}
		t.Run("tool "+field, func(t *testing.T) {
			set := new(tool)
			f.set(set)
			set.UpdateMask = mask(field)
			update(t, path, `{"`+field+`":`+f.json+`}`, `{"`+field+`":`+f.json+`}`, call(set), flat)
			update(t, path, `{"`+field+`":null}`, `{"`+field+`":null}`, call(&tool{UpdateMask: mask(field)}), flat)
			unmasked := new(tool)
			f.set(unmasked)
			update(t, path, `{"`+field+`":`+f.json+`}`, `{"`+field+`":`+f.json+`}`, call(unmasked), flat)
		})
	}

	up.will(respond(200, nil, full))
	_, err := d.rpc.UpdateIntegration(ctx(), &integration{IntegrationId: id, UpdateMask: mask("name", "integration_id")})
	e := apierror.FromError(err)
	if e.Code != codes.InvalidArgument || e.Outcome != exchange.NotSent || len(e.Violations) != 1 || e.Violations[0].Field != "update_mask" {
		t.Errorf("an unknown path: %v %+v", e, e.Violations)
	}
	up.none(t)
}

// Diga writes a tool as one flat object, and its enum values without our prefix.
// A field or a value that the contract does not have is drift and no failure.
func TestGetTool_HTTPAndMCP_AreReadFromOneFlatObject(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	get := func(body string) (*integrationv1.Tool, error) {
		up.will(respond(200, nil, body))
		resp, err := d.rpc.GetTool(withToken(t.Context(), token), &integrationv1.GetToolRequest{IntegrationId: id, ToolId: templateID})
		return resp.GetTool(), err
	}
	http, err := get(`{"name":"h","id":"` + id + `","method":"PATCH","headers":null,"execution_audio":"typing","body":[{"name":"o","data_type":"object",` +
		`"properties":[{"name":"i","data_type":"integer","fixed_value":3}]}],"type":"HTTP"}`)
	if err != nil {
		t.Fatal(err)
	}
	if h := http.GetHttp(); h.GetMethod() != integrationv1.HttpMethod_HTTP_METHOD_PATCH || h.GetBody()[0].GetProperties()[0].GetFixedValue().GetNumberValue() != 3 {
		t.Errorf("got %v", http)
	}
	mcp, err := get(`{"id":null,"type":"MCP","name":"m","description":"d","parameters":{"type":"object"},"approval_required":true}`)
	if err != nil || mcp.GetMcp().GetName() != "m" || mcp.GetMcp().GetParameters().GetFields()["type"].GetStringValue() != "object" {
		t.Errorf("got %v, %v", mcp, err)
	}
	// A tool of a type that the contract does not have is read all the same.
	for _, body := range []string{`{"id":"` + id + `","type":"SOAP","name":"m"}`, `{"id":"` + id + `","name":"m"}`} {
		if unknown, err := get(body); err != nil || unknown.GetTool() != nil {
			t.Errorf("%s: got %v, %v", body, unknown, err)
		}
		for _, request := range []string{"GET /v1/integration/" + id + "/tool/" + templateID + " ", "PATCH /v1/integration/" + id + "/tool/" + templateID + " {}",
			"POST /v1/integration/" + id + `/tool {"name":"n","description":"d","endpoint_path":"/","method":"GET"}`} {
			part := strings.SplitN(request, " ", 3)
			up.will(respond(201, nil, body))
			if rest := d.do(t, part[0], part[1], part[2]); rest.status != 201 || rest.body != body {
				t.Errorf("%s: %d %s", request, rest.status, rest.body)
			}
		}
	}
	if _, err := get(`{"type":"SOAP","name":"m"}`); err == nil {
		t.Error("a response without an id is a success")
	}
}
