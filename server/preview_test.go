package server_test

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/emulator"
)

// A preview and a copy share no code with the emulator, which copies as Diga
// documents it.
func TestPreviewCopyTemplate_SaysWhatTheCopyGives(t *testing.T) {
	t.Parallel()
	e, url := emulate(t, emulator.Options{})
	d := start(t, url)
	ctx := withToken(t.Context(), token)
	var all []*integrationv1.IntegrationTemplate
	for _, language := range []string{"es", "en"} {
		resp, err := d.rpc.ListTemplates(ctx, &integrationv1.ListTemplatesRequest{Language: &language, Limit: new(int32(100))})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, resp.GetData()...)
	}
	if len(all) < 5 {
		t.Fatalf("%d templates", len(all))
	}
	for _, tmpl := range all {
		for name, req := range map[string]*integrationv1.PreviewCopyTemplateRequest{
			"nothing":    {},
			"everything": {Name: new("n"), ApiKey: new("k"), Variables: variablesOf("shop", "north", "notion_version", "2022-06-28", "token", "t", "unused", "u")},
			"a base URL": {BaseUrl: new("https://<<shop>>.example"), Variables: structOf("shop", "north")},
			"a number":   {Variables: &structpb.Struct{Fields: map[string]*structpb.Value{"shop": structpb.NewNumberValue(12)}}},
		} {
			req.TemplateId = tmpl.GetId()
			p, err := d.rpc.PreviewCopyTemplate(ctx, req)
			if err != nil {
				t.Fatalf("%s, %s: %v", tmpl.GetName(), name, err)
			}
			before := len(e.Integrations(token))
			resp, err := d.rpc.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{
				TemplateId: req.TemplateId, Name: req.Name, ApiKey: req.ApiKey, BaseUrl: req.BaseUrl, Variables: req.Variables,
			})
			if err != nil || len(e.Integrations(token)) != before+1 {
				t.Fatalf("%s, %s: %v", tmpl.GetName(), name, err)
			}
			in := resp.GetIntegration()
			if p.GetName() != in.GetName() || p.GetBaseUrl() != in.GetBaseUrl() ||
				p.GetAuthType() != in.GetAuthType() && !slices.Contains(p.GetCaveats(), integrationv1.Caveat_CAVEAT_API_KEY_NOT_NEEDED) ||
				p.GetIntegrationType() != in.GetIntegrationType() || p.GetRequiresSetup() != in.GetRequiresSetup() ||
				fmt.Sprint(p.GetHeaders()) != fmt.Sprint(in.GetHeaders()) {
				t.Errorf("%s, %s:\npreview %v\ncopy    %v", tmpl.GetName(), name, p, in)
			}
			tools, err := d.rpc.ListTools(ctx, &integrationv1.ListToolsRequest{IntegrationId: in.GetId(), Limit: new(int32(100)), Order: integrationv1.Order_ORDER_ASC})
			if err != nil {
				t.Fatal(err)
			}
			var previewed, made []string
			for _, tool := range p.GetTools() {
				previewed = append(previewed, tool.GetFields()["name"].GetStringValue()+" "+tool.GetFields()["endpoint_path"].GetStringValue())
			}
			for _, tool := range tools.GetData() {
				made = append(made, tool.GetHttp().GetName()+tool.GetMcp().GetName()+" "+tool.GetHttp().GetEndpointPath())
			}
			slices.Sort(previewed)
			slices.Sort(made)
			if !slices.Equal(previewed, made) {
				t.Errorf("%s, %s: previewed tools %q, made %q", tmpl.GetName(), name, previewed, made)
			}
		}
	}
}

func TestPreviewCopyTemplate_OverREST_IsTheSameAndSendsNoCopy(t *testing.T) {
	t.Parallel()
	e, url := emulate(t, emulator.Options{})
	d := start(t, url)
	rest := d.do(t, "POST", "/v1/integration/template/"+templateID+":previewCopy", `{"name":"n","variables":{"shopp":"x"}}`)
	var got struct {
		Name         string
		BaseURL      string `json:"base_url"`
		Placeholders []struct{ Name, Path, State string }
		Unused       []struct{ Name, Nearest string } `json:"unused_variables"`
		APIKey       string                           `json:"api_key"`
		Setup        bool                             `json:"requires_setup"`
	}
	if err := json.Unmarshal([]byte(rest.body), &got); err != nil || rest.status != 200 {
		t.Fatalf("%d %s %v", rest.status, rest.body, err)
	}
	if fmt.Sprint(got) != "{n https://<<shop>>.myshopify.com/admin/api/2026-07 [{shop base_url MISSING}] [{shopp shop}] MISSING true}" {
		t.Errorf("got %v from %s", got, rest.body)
	}
	wantREST(t, d.do(t, "POST", "/v1/integration/template/"+templateID[:35]+"f:previewCopy", `{}`), 404, "REJECTED", "INTEGRATION_TEMPLATE_NOT_FOUND")
	wantREST(t, d.do(t, "POST", "/v1/integration/template/x:previewCopy", `{}`), 422, "NOT_SENT", "")
	if n := len(e.Integrations(token)); n != 0 {
		t.Errorf("%d integrations", n)
	}
	d.log.await(t, 1, `"method":"diga.integration.v1.IntegrationService/PreviewCopyTemplate"`)
}

// variablesOf returns texts as variables, from pairs of names and texts.
func variablesOf(pairs ...string) *structpb.Struct {
	s := &structpb.Struct{Fields: make(map[string]*structpb.Value)}
	for i := 0; i < len(pairs); i += 2 {
		s.Fields[pairs[i]] = structpb.NewStringValue(pairs[i+1])
	}
	return s
}

func refusedFor(t *testing.T, what string, err error, want string) {
	t.Helper()
	e := apierror.FromError(err)
	if e == nil || e.Code != codes.InvalidArgument || e.Outcome.String() != "NOT_SENT" {
		t.Errorf("%s: %v", what, err)
		return
	}
	var got []string
	for _, v := range e.Violations {
		got = append(got, v.Field+" "+v.Reason)
	}
	if strings.Join(got, ", ") != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestUnresolvedRefuse_MissingVariable_IsRefusedOnEveryWay(t *testing.T) {
	t.Parallel()
	e, url := emulate(t, emulator.Options{})
	d := start(t, url)
	strict := start(t, url, func(c *config.Config) { c.Integration.Unresolved = "refuse" })
	const missing = "variables.shop PLACEHOLDER_MISSING"
	refuse := integrationv1.Unresolved_UNRESOLVED_REFUSE
	for _, id := range []string{"", "r"} {
		_, err := d.rpc.CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: id, Unresolved: refuse})
		refusedFor(t, "gRPC, request id "+id, err, missing)
		_, err = d.rpc.CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{
			TemplateId: templateID, RequestId: id, Unresolved: refuse, Variables: &structpb.Struct{Fields: map[string]*structpb.Value{"shop": structpb.NewListValue(&structpb.ListValue{})}},
		})
		refusedFor(t, "a list", err, "variables.shop PLACEHOLDER_TYPE")
		_, err = strict.rpc.CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: id})
		refusedFor(t, "the server's default", err, missing)
		rest := d.copyREST(t, templateID, `{}`, "Digate-Unresolved", "Refuse", "Idempotency-Key", id)
		if wantREST(t, rest, 422, "NOT_SENT", ""); !strings.Contains(rest.body, `"loc":["body","variables","shop"]`) {
			t.Error(rest.body)
		}
	}
	if rest := d.copyREST(t, templateID, `{}`, "Digate-Unresolved", "perhaps"); rest.status != 422 || !strings.Contains(rest.body, `"loc":["header","digate-unresolved"]`) {
		t.Errorf("%d %s", rest.status, rest.body)
	}
	bulk := d.do(t, "POST", "/v1/integration/template:bulkCopy", `{"request_id":"b1","template_id":"`+templateID+`","unresolved":"REFUSE"}`+"\n"+
		`{"request_id":"b2","template_id":"`+templateID+`","unresolved":"maybe"}`+"\n"+
		`{"request_id":"b3","template_id":"`+templateID+`","unresolved":"REFUSE","variables":{"shop":"x"}}`)
	for _, want := range []string{`"summary":{"total":3,"done":1,"replayed":0,"not_sent":2,`, `has no value, and is needed in base_url`, `must be ALLOW or REFUSE`} {
		if !strings.Contains(bulk.body, want) {
			t.Errorf("no %s in\n%s", want, bulk.body)
		}
	}
	if n := len(e.Integrations(token)); n != 1 {
		t.Fatalf("%d integrations", n)
	}
	// The id of a copy that was refused is free.
	if _, err := d.rpc.CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: "r", Unresolved: refuse, Variables: structOf("shop", "x")}); err != nil {
		t.Errorf("resolved: %v", err)
	}
	if _, err := strict.rpc.CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID, Unresolved: integrationv1.Unresolved_UNRESOLVED_ALLOW}); err != nil {
		t.Errorf("allowed: %v", err)
	}
}

func TestUnresolvedRefuse_TemplateCannotBeRead_CopyIsNotSent(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(502, nil, "<html>"))
	d := start(t, up.url())
	req := &integrationv1.CopyTemplateRequest{TemplateId: templateID, Unresolved: integrationv1.Unresolved_UNRESOLVED_REFUSE}
	for _, id := range []string{"", "r"} {
		req.RequestId = id
		_, err := d.copyRPC(t, req)
		if err == nil || err.Code != codes.Unavailable || err.Outcome.String() != "NOT_SENT" || err.RetryAfter == nil || !strings.Contains(err.Message, "502 Bad Gateway with an HTML page") {
			t.Errorf("request id %q: %v", id, err)
		}
	}
	up.will(respond(404, nil, `{"status":"error","error_code":"INTEGRATION_TEMPLATE_NOT_FOUND","message":"m"}`))
	if _, err := d.copyRPC(t, req); err == nil || err.Code != codes.NotFound || err.Outcome.String() != "REJECTED" {
		t.Errorf("no such template: %v", err)
	}
	// What cannot be checked is not copied.
	whole := `{"id":"` + templateID + `","name":"t","language":"es","template":%s}`
	for _, odd := range []string{
		strings.Repeat(`{"a":`, 120) + `"<<a>>"` + strings.Repeat("}", 120), fmt.Sprintf(whole, `{"base_url":"https://x"}`)[:80], fmt.Sprintf(whole, `["<<a>>"]`), fmt.Sprintf(whole, `"<<a>>"`), fmt.Sprintf(whole, `null`),
		`{"id":"` + templateID + `","name":"t","language":"es"}`, strings.Replace(fmt.Sprintf(whole, `{"base_url":"https://x"}`), templateID, id, 1),
	} {
		up.will(respond(200, nil, odd))
		_, err := d.rpc.PreviewCopyTemplate(withToken(t.Context(), token), &integrationv1.PreviewCopyTemplateRequest{TemplateId: templateID})
		if e := apierror.FromError(err); e == nil || e.Reason != apierror.ReasonInvalidResponse {
			t.Errorf("the preview of %s: %v", odd, err)
		}
		for _, requestID := range []string{"", "odd"} {
			req.RequestId = requestID
			if _, err := d.copyRPC(t, req); err == nil || err.Outcome.String() != "NOT_SENT" || posts(up) != 0 {
				t.Errorf("%s: %v, %d copies", odd, err, posts(up))
			}
		}
	}
	up.will(respond(200, nil, fmt.Sprintf(whole, `{"n":12345678901234567890123,"b":"<<a>>"}`)))
	_, err := d.rpc.CopyTemplate(withToken(t.Context(), token), req)
	refusedFor(t, "a number that a Struct cannot hold", err, "variables.a PLACEHOLDER_MISSING")
	// The base URL of the template is replaced, and with it its placeholder.
	up.will(func(c net.Conn, r sent) bool {
		if strings.HasPrefix(r.line, "POST ") {
			return respond(201, nil, full)(c, r)
		}
		return respond(200, nil, fmt.Sprintf(whole, `{"n":12345678901234567890123,"base_url":"https://<<a>>"}`))(c, r)
	})
	req.BaseUrl = new("https://x")
	if _, err := d.copyRPC(t, req); err != nil {
		t.Errorf("a base URL of its own: %v", err)
	}
}

// A stream reads a template once, and a copy that was made needs no look.
func TestUnresolvedRefuse_ManyCopiesOfOneTemplate_ReadItOnce(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(func(c net.Conn, r sent) bool {
		switch {
		case strings.HasPrefix(r.line, "POST "):
			return respond(201, nil, full)(c, r)
		case strings.Contains(r.line, "/template/"):
			return respond(200, nil, `{"id":"`+templateID+`","name":"t","language":"es","template":{"base_url":"https://x"}}`)(c, r)
		default:
			return respond(200, nil, full)(c, r)
		}
	})
	d := start(t, up.url())
	var lines strings.Builder
	for i := range 40 {
		fmt.Fprintf(&lines, `{"request_id":"b%d","template_id":%q,"unresolved":"REFUSE"}`+"\n", i, templateID)
	}
	reads := func() (n int) {
		for _, r := range up.received() {
			if strings.HasPrefix(r.line, "GET /v1/integration/template/") {
				n++
			}
		}
		return n
	}
	for range 2 {
		if bulk := d.do(t, "POST", "/v1/integration/template:bulkCopy", lines.String()); !strings.Contains(bulk.body, `"done":40`) {
			t.Fatal(bulk.body)
		}
	}
	if posts(up) != 40 || reads() != 1 {
		t.Errorf("%d copies, %d reads of the template", posts(up), reads())
	}
}
