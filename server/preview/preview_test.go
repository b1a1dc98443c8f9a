package preview_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/preview"
)

func parse(t *testing.T, text string) *structpb.Struct {
	t.Helper()
	s := new(structpb.Struct)
	if err := protojson.Unmarshal([]byte(text), s); err != nil {
		t.Fatal(err)
	}
	return s
}

func template(t *testing.T, text string) *integrationv1.IntegrationTemplate {
	t.Helper()
	return &integrationv1.IntegrationTemplate{Id: "id", Name: "template", Template: parse(t, text)}
}

// of returns the preview of a template with variables.
func of(t *testing.T, text, variables string, change ...func(*integrationv1.PreviewCopyTemplateRequest)) *integrationv1.PreviewCopyTemplateResponse {
	t.Helper()
	req := &integrationv1.PreviewCopyTemplateRequest{TemplateId: "id", Variables: parse(t, variables)}
	for _, f := range change {
		f(req)
	}
	tmpl := template(t, text)
	beforeTemplate, beforeReq := proto.CloneOf(tmpl), proto.CloneOf(req)
	p, err := preview.Of(tmpl, req)
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(tmpl, beforeTemplate) || !proto.Equal(req, beforeReq) {
		t.Error("the template or the request was changed")
	}
	return p
}

// places returns the placeholders as "name@path STATE".
func places(p *integrationv1.PreviewCopyTemplateResponse) (all []string) {
	for _, h := range p.GetPlaceholders() {
		all = append(all, h.GetName()+"@"+h.GetPath()+" "+strings.TrimPrefix(h.GetState().String(), "STATE_"))
	}
	return all
}

func caveats(p *integrationv1.PreviewCopyTemplateResponse) string {
	var all []string
	for _, c := range p.GetCaveats() {
		all = append(all, strings.TrimPrefix(c.String(), "CAVEAT_"))
	}
	return strings.Join(all, " ")
}

const whole = `{"integration_type":"HTTP","auth_type":"API_KEY","base_url":"https://<<shop>>.x/<<shop>>","headers":{"X-A":"<<a>>","Accept":"json"},
	"tools":[{"name":"t","query":[{"name":"q","data_type":"integer","fixed_value":"<<n>>"}],"path":"/<<a>>"}]}`

func TestOf_WholeTemplate_IsFilled(t *testing.T) {
	t.Parallel()
	p := of(t, whole, `{"shop":"north","a":"1&2","n":7}`, func(r *integrationv1.PreviewCopyTemplateRequest) { r.Name, r.ApiKey = new("mine"), new("k") })
	if p.GetName() != "mine" || p.GetTemplateId() != "id" || p.GetBaseUrl() != "https://north.x/north" || p.GetHeaders()["X-A"] != "1&2" || p.GetHeaders()["Accept"] != "json" ||
		p.GetAuthType() != integrationv1.AuthType_AUTH_TYPE_API_KEY || p.GetIntegrationType() != integrationv1.IntegrationType_INTEGRATION_TYPE_HTTP ||
		p.GetApiKey() != integrationv1.ApiKeyNeed_API_KEY_NEED_GIVEN || p.GetRequiresSetup() {
		t.Errorf("%v", p)
	}
	if want := parse(t, `{"name":"t","query":[{"name":"q","data_type":"integer","fixed_value":"7"}],"path":"/1&2"}`); len(p.GetTools()) != 1 || !proto.Equal(p.GetTools()[0], want) {
		t.Errorf("the tools are %v", p.GetTools())
	}
	want := []string{"shop@base_url GIVEN", "shop@base_url GIVEN", "a@headers.X-A GIVEN", "a@tools[0].path GIVEN", "n@tools[0].query[0].fixed_value GIVEN"}
	if got := places(p); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := caveats(p); got != "VALUE_AS_JSON" {
		t.Errorf("caveats %s", got)
	}
}

func TestOf_WithoutAnything_SaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	p := of(t, whole, `{"a":null}`)
	if p.GetName() != "template" || p.GetBaseUrl() != "https://<<shop>>.x/<<shop>>" || p.GetApiKey() != integrationv1.ApiKeyNeed_API_KEY_NEED_MISSING || !p.GetRequiresSetup() {
		t.Errorf("%v", p)
	}
	for _, place := range places(p) {
		if !strings.HasSuffix(place, " MISSING") {
			t.Error(place)
		}
	}
	if got := caveats(p); got != "PLACEHOLDER_KEPT" || len(p.GetPlaceholders()) != 5 || p.GetUnusedVariables() != nil {
		t.Errorf("caveats %s, %v", got, p)
	}
	if p := of(t, whole, `{"shop":"n","a":"1","n":7}`, func(r *integrationv1.PreviewCopyTemplateRequest) { r.ApiKey = new("") }); p.GetApiKey() != integrationv1.ApiKeyNeed_API_KEY_NEED_MISSING || !p.GetRequiresSetup() {
		t.Errorf("an empty key: %v", p)
	}
}

func TestOf_ValueOfEachType_FitsOrDoesNot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ dataType, value, want string }{
		{"", `"x"`, "GIVEN"}, {"", `1.5`, "GIVEN"}, {"", `true`, "GIVEN"}, {"", `{}`, "TYPE_MISMATCH"}, {"", `[]`, "TYPE_MISMATCH"}, {"", `null`, "MISSING"}, {"", `""`, "GIVEN"},
		{"string", `"x"`, "GIVEN"}, {"string", `1`, "GIVEN"}, {"string", `false`, "GIVEN"}, {"string", `{}`, "TYPE_MISMATCH"},
		{"integer", `1`, "GIVEN"}, {"integer", `1.5`, "TYPE_MISMATCH"}, {"integer", `"12"`, "GIVEN"}, {"integer", `"1.5"`, "TYPE_MISMATCH"}, {"integer", `"x"`, "TYPE_MISMATCH"}, {"integer", `true`, "TYPE_MISMATCH"},
		{"number", `1.5`, "GIVEN"}, {"number", `"1e3"`, "GIVEN"}, {"number", `"x"`, "TYPE_MISMATCH"}, {"number", `true`, "TYPE_MISMATCH"},
		{"boolean", `true`, "GIVEN"}, {"boolean", `"False"`, "GIVEN"}, {"boolean", `"yes"`, "TYPE_MISMATCH"}, {"boolean", `1`, "TYPE_MISMATCH"},
		{"object", `{}`, "GIVEN"}, {"object", `"x"`, "TYPE_MISMATCH"}, {"object", `1`, "TYPE_MISMATCH"}, {"object", `[]`, "TYPE_MISMATCH"},
	} {
		p := of(t, fmt.Sprintf(`{"tools":[{"query":[{"data_type":%q,"fixed_value":"<<v>>"}]}]}`, c.dataType), `{"v":`+c.value+`}`)
		if want := []string{"v@tools[0].query[0].fixed_value " + c.want}; !slices.Equal(places(p), want) {
			t.Errorf("%s for a value of type %q: got %q, want %q", c.value, c.dataType, places(p), want)
		}
		// The type is that of the whole value, not of a text that the value is a part of.
		p = of(t, fmt.Sprintf(`{"tools":[{"query":[{"data_type":%q,"fixed_value":"a <<v>>"}]}]}`, c.dataType), `{"v":"x"}`)
		if want := []string{"v@tools[0].query[0].fixed_value GIVEN"}; !slices.Equal(places(p), want) {
			t.Errorf("a part of a text of type %q: %q", c.dataType, places(p))
		}
	}
}

func TestOf_GivenBaseURL_ReplacesTheTemplates(t *testing.T) {
	t.Parallel()
	p := of(t, whole, `{"a":"1","n":7,"region":"eu"}`, func(r *integrationv1.PreviewCopyTemplateRequest) { r.BaseUrl = new("https://<<region>>.y") })
	if p.GetBaseUrl() != "https://eu.y" || !strings.Contains(caveats(p), "BASE_URL_REPLACED") || slices.ContainsFunc(places(p), func(s string) bool { return strings.HasPrefix(s, "shop@") }) {
		t.Errorf("%v", p)
	}
	p = of(t, whole, `{"a":"1","n":7}`, func(r *integrationv1.PreviewCopyTemplateRequest) { r.BaseUrl = new("https://y") })
	if p.GetBaseUrl() != "https://y" || strings.Contains(caveats(p), "BASE_URL_REPLACED") {
		t.Errorf("%v", p)
	}
}

func TestOf_TemplateOfAnotherShape_IsShownAsFarAsItIsKnown(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `{"base_url":7,"headers":[],"tools":{},"auth_type":"OAUTH2","integration_type":1}`,
		`{"integration_type":"MCP","auth_type":"NONE","base_url":"u","headers":{"a":1},"tools":null}`,
		`{"integration_type":"MCP","auth_type":"NONE","base_url":"u","headers":{},"tools":["x"]}`,
	} {
		if p := of(t, text, `{}`); caveats(p) != "TEMPLATE_SHAPE" || p.GetRequiresSetup() || len(p.GetTools()) > 0 || len(p.GetHeaders()) > 0 {
			t.Errorf("%s: %v", text, p)
		}
	}
	p := of(t, `{"integration_type":"MCP","auth_type":"NONE","base_url":"u","headers":{},"tools":[],"other":{"deep":["<<x>>"],"a.b c":"<<y>>"}}`, `{}`)
	if want := []string{`y@other["a.b c"] MISSING`, "x@other.deep[0] MISSING"}; !slices.Equal(places(p), want) || !p.GetRequiresSetup() || p.GetApiKey() != integrationv1.ApiKeyNeed_API_KEY_NEED_NONE {
		t.Errorf("got %q, want %q", places(p), want)
	}
	p = of(t, `{"integration_type":"MCP","auth_type":"NONE","base_url":"u","headers":{"X-<<h>>":"v"},"tools":[],"n":"<<a b>>"}`, `{"h":"1","a b":"2"}`)
	if caveats(p) != "PLACEHOLDER_NAME PLACEHOLDER_IN_KEY" || p.GetHeaders()["X-<<h>>"] != "v" || p.GetUnusedVariables() != nil {
		t.Errorf("%v", p)
	}
	p = of(t, `{"integration_type":"MCP","auth_type":"NONE","base_url":"u","<<top>>":1}`, `{"top":"1"}`)
	if caveats(p) != "PLACEHOLDER_IN_KEY" || p.GetUnusedVariables() != nil {
		t.Errorf("%v", p)
	}
	p = of(t, `{"integration_type":"MCP","auth_type":"NONE","base_url":"u"}`, `{}`, func(r *integrationv1.PreviewCopyTemplateRequest) { r.ApiKey = new("k") })
	if caveats(p) != "API_KEY_NOT_NEEDED" || p.GetApiKey() != integrationv1.ApiKeyNeed_API_KEY_NEED_NONE {
		t.Errorf("%v", p)
	}
	tmpl := template(t, `{"integration_type":"MCP","auth_type":"NONE","base_url":"u","headers":{},"tools":[]}`)
	tmpl.TemplateJson = new("{}")
	if p, err := preview.Of(tmpl, new(integrationv1.PreviewCopyTemplateRequest)); err != nil || caveats(p) != "NUMBER_LEFT_OUT" {
		t.Errorf("%v %v", p, err)
	}
}

func TestOf_UnusedVariable_HasTheNearestName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 70)
	p := of(t, `{"base_url":"<<shop>><<token>><<Región>><<notion_version>><<`+long+`>>"}`,
		`{"shopp":"1","tkoen":"1","SHOP":"1","region":"1","notion_verson":"1","other":"1","x":"1","`+long+`y":"1","shop":"1"}`)
	got := make(map[string]string)
	for _, u := range p.GetUnusedVariables() {
		got[u.GetName()] = u.GetNearest()
	}
	want := map[string]string{"shopp": "shop", "tkoen": "token", "SHOP": "shop", "region": "Región", "notion_verson": "notion_version", "other": "", "x": "", long + "y": ""}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestOf_ManyLongValues_IsRefused(t *testing.T) {
	t.Parallel()
	tmpl := template(t, `{"base_url":"`+strings.Repeat("<<a>>", 1000)+`"}`)
	req := &integrationv1.PreviewCopyTemplateRequest{Variables: parse(t, `{"a":"`+strings.Repeat("x", preview.MaxSize/1000+1)+`"}`)}
	if p, err := preview.Of(tmpl, req); !errors.Is(err, preview.ErrTooLarge) || p != nil {
		t.Errorf("%v", err)
	}
	req.Variables = parse(t, `{"a":"`+strings.Repeat("x", preview.MaxSize/1000)+`"}`)
	if _, err := preview.Of(tmpl, req); err != nil {
		t.Errorf("%v", err)
	}
	for n, want := range map[int]error{preview.MaxPlaces: nil, preview.MaxPlaces + 1: preview.ErrTooLarge} {
		if _, err := preview.Of(template(t, `{"base_url":"`+strings.Repeat("<<b>>", n)+`"}`), req); !errors.Is(err, want) {
			t.Errorf("%d places: %v", n, err)
		}
	}
}

// What Diga gets as JSON is inserted as it is written.
func TestOf_VariablesAsJSON_AreInsertedDigitForDigit(t *testing.T) {
	t.Parallel()
	p := of(t, `{"base_url":"<<s>> <<n>> <<d>> <<b>> <<z>> <<l>> <<o>>","headers":{},"tools":[{"a":{"data_type":"integer","fixed_value":"<<n>>"},"b":{"data_type":"integer","fixed_value":"<<d>>"},"c":{"data_type":"object","fixed_value":"<<o>>"}}]}`, `{}`,
		func(r *integrationv1.PreviewCopyTemplateRequest) {
			r.Variables = nil
			r.VariablesJson = new(` { "s":"a\u00e9", "n":1234567890123456789, "d": 1.50, "b":true, "z":null, "l":[ 1.0, "x y" ], "o":{ "k" : 1 }, "sx":1e400 } `)
		})
	if want := `aé 1234567890123456789 1.50 true <<z>> [1.0,"x y"] {"k":1}`; p.GetBaseUrl() != want {
		t.Errorf("got %s, want %s", p.GetBaseUrl(), want)
	}
	want := []string{
		"s@base_url GIVEN", "n@base_url GIVEN", "d@base_url GIVEN", "b@base_url GIVEN", "z@base_url MISSING", "l@base_url TYPE_MISMATCH", "o@base_url TYPE_MISMATCH",
		"n@tools[0].a.fixed_value GIVEN", "d@tools[0].b.fixed_value TYPE_MISMATCH", "o@tools[0].c.fixed_value GIVEN",
	}
	if got := places(p); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if u := p.GetUnusedVariables(); len(u) != 1 || u[0].GetName() != "sx" || !strings.Contains(caveats(p), "VALUE_AS_JSON") {
		t.Errorf("%v, %s", u, caveats(p))
	}
}

func TestNames_AreThoseOfEveryPlaceholder(t *testing.T) {
	t.Parallel()
	got := preview.Names(template(t, whole))
	if want := []string{"a", "n", "shop"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
