package emulator_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/server/emulator"
)

func TestCopy_FullBody_GivesDigasBytes(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	got := u.copy("t", shopify, `{"name": "x", "api_key": "k", "base_url": "https://x", "variables": {}}`)
	id := u.Integrations("t")[0].ID
	wantReply(t, got, 201, `{"id":"`+id+`","name":"x",`+
		`"description":"Consulta pedidos, productos y existencias de una tienda Shopify.",`+
		`"base_url":"https://x","auth_type":"API_KEY","integration_type":"HTTP","auth_key":"k",`+
		`"headers":{"Accept":"application/json"},"requires_setup":false,`+
		`"source_integration_template_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a",`+
		`"created_at":"2026-11-23T20:02:11.123456Z","updated_at":"2026-11-23T20:02:11.123456Z"}`)
	if kind := got.header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("content type %q", kind)
	}
}

func TestCopy_NullOrAbsentFields_TakeTheTemplates(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	for _, body := range []string{`{}`, `{"name":null,"api_key":null,"base_url":null,"variables":null}`, `{"unknown":[1]}`} {
		got := u.copy("t", deepwiki, body)
		if got.status != 201 || got.field(t, "name") != "DeepWiki (MCP)" || got.field(t, "base_url") != "https://mcp.deepwiki.com/mcp" ||
			got.field(t, "auth_key") != nil || got.field(t, "headers") != nil || got.field(t, "auth_type") != "NONE" {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
}

func TestCopy_EmptyStrings_AreValues(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	got := u.copy("t", deepwiki, `{"name":"","base_url":"","api_key":""}`)
	if got.field(t, "name") != "" || got.field(t, "base_url") != "" || got.field(t, "auth_key") != "" || got.field(t, "auth_type") != "NONE" {
		t.Errorf("got %s", got.body)
	}
}

func TestCopy_RequiresSetup_WhileSomethingIsMissing(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	for _, row := range []struct {
		template, body string
		want           bool
	}{
		{shopify, `{"api_key":"k","variables":{"shop":"acme"}}`, false},
		{shopify, `{"api_key":"k","base_url":"https://acme.example.com"}`, false},
		{shopify, `{"variables":{"shop":"acme"}}`, true},
		{shopify, `{"api_key":"","variables":{"shop":"acme"}}`, true},
		{shopify, `{"api_key":"k"}`, true},
		{shopify, `{"api_key":"k","variables":{"shop":null}}`, true},
		{shopify, `{"api_key":"k","variables":{"shop":""}}`, false},
		{notion, `{"api_key":"k"}`, true},
		{notion, `{"api_key":"k","variables":{"notion_version":"2022-06-28"}}`, false},
		{holidays, `{}`, true},
		{holidays, `{"variables":{"country_code":"ES"}}`, false},
		{weather, `{"variables":{"latitude":40.4}}`, true},
		{weather, `{"variables":{"latitude":40.4,"longitude":-3.7}}`, false},
		{github, `{"variables":{"toolsets":"all"}}`, true},
		{github, `{"api_key":"k","variables":{"toolsets":"all"}}`, false},
		{deepwiki, `{}`, false},
	} {
		got := u.copy("t", row.template, row.body)
		if got.field(t, "requires_setup") != row.want {
			t.Errorf("%s %s: got %s", row.template, row.body, got.body)
		}
	}
}

func TestCopy_Variables_FillBaseURLHeadersAndTools(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	u.copied("t", shopify, `{"variables":{"shop":"acme","other":1}}`)
	u.copied("t", notion, `{"variables":{"notion_version":"2022-06-28"}}`)
	u.copied("t", holidays, `{"variables":{"country_code":"ES"}}`)
	u.copied("t", shopify, `{"base_url":"https://<<shop>>.example.com","variables":{"shop":"<<shop>>s"}}`)
	have := u.Integrations("t")
	for i, pair := range [][2]string{
		{have[0].BaseURL, "https://acme.myshopify.com/admin/api/2026-07"},
		{have[1].Headers["Notion-Version"], "2022-06-28"},
		{have[2].Tools[0].EndpointPath, "/PublicHolidays/{year}/ES"},
		{have[2].Tools[1].EndpointPath, "/NextPublicHolidays/ES"},
		{have[3].BaseURL, "https://<<shop>>s.example.com"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%d: got %q, want %q", i, pair[0], pair[1])
		}
	}
}

func TestCopy_VariablesThatAreNoStrings_TakeTheirJSONForm(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	for value, want := range map[string]string{
		`5`: "5", `5.0`: "5.0", `1e30`: "1e+30", `-0.00001`: "-1e-05", `true`: "true", `"a b"`: "a b",
		`123456789012345678901234567890`: "123456789012345678901234567890",
		`[1, "ñ"]`:                       `[1,"ñ"]`, `{"a": null}`: `{"a":null}`,
		`NaN`: "<<shop>>",
	} {
		got := u.copy("t", shopify, `{"base_url":"<<shop>>","variables":{"shop":`+value+`}}`)
		if base := got.field(t, "base_url"); base != want {
			t.Errorf("%s: got %q, want %q", value, base, want)
		}
	}
}

func TestCopy_TextWithoutJSONForm_CrashesAndCreatesNothing(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	wantReply(t, u.copy("t", deepwiki, `{"name":"\ud800"}`), 500, "Internal Server Error")
	wantReply(t, u.copy("t", deepwiki, `{"name":NaN}`), 500, "Internal Server Error")
	if n := len(u.Integrations("t")); n != 0 {
		t.Errorf("%d integrations", n)
	}
}

func TestCopy_EveryTemplate_MakesItsTools(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	for _, template := range u.Templates() {
		id := u.copied("t", template.ID, `{}`)
		it := u.Integrations("t")[len(u.Integrations("t"))-1]
		if it.ID != id || it.Name != template.Name || *it.SourceTemplateID != template.ID || len(it.Tools) == 0 {
			t.Errorf("%s: %+v", template.ID, it)
		}
		for _, tool := range it.Tools {
			got := u.call("t", "GET", "/v1/integration/"+id+"/tool/"+tool.ID, "")
			if got.status != 200 || got.field(t, "name") != tool.Name || got.field(t, "type") != it.IntegrationType {
				t.Errorf("%s: %d %s", tool.ID, got.status, got.body)
			}
		}
	}
}

func TestTemplateID_EveryFormOfAUUID_IsTaken(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	for _, form := range []string{
		strings.ToUpper(shopify), strings.ReplaceAll(shopify, "-", ""), "%7B" + shopify + "%7D", "urn:uuid:" + shopify,
	} {
		if got := u.call("t", "GET", "/v1/integration/template/"+form, ""); got.status != 200 || got.field(t, "id") != shopify {
			t.Errorf("%s: %d %s", form, got.status, got.body)
		}
	}
}

func TestTemplate_Unknown_Is404(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	want := `{"status":"error","error_code":"INTEGRATION_TEMPLATE_NOT_FOUND","message":"There is no integration template ` + nobody + `"}`
	wantReply(t, u.call("t", "GET", "/v1/integration/template/"+nobody, ""), 404, want)
	wantReply(t, u.copy("t", nobody, `{}`), 404, want)
}

func TestGetTemplate_GivesDigasBytes(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	got := u.call("t", "GET", "/v1/integration/template/"+deepwiki, "")
	wantReply(t, got, 200, `{"id":"`+deepwiki+`","name":"DeepWiki (MCP)","language":"es",`+
		`"description":"Documentación de repositorios públicos mediante un servidor MCP abierto.",`+
		`"setup_guide_url":"https://docs.devin.ai/work-with-devin/deepwiki-mcp",`+
		`"template":{"integration_type":"MCP","auth_type":"NONE","base_url":"https://mcp.deepwiki.com/mcp","headers":null,`+
		`"tools":[{"name":"ask_question","description":"Responde a una pregunta sobre un repositorio.",`+
		`"parameters":{"type":"object","properties":{"repoName":{"type":"string"},"question":{"type":"string"}},"required":["repoName","question"]}}]}}`)
}

func TestListTemplates_ByDefault_IsSpanishAndBeginsWithTheFirst(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	p := u.list("t", "/v1/integration/template")
	if len(p.Data) < 6 || p.Data[0].ID != shopify || p.HasMore {
		t.Errorf("got %+v", p)
	}
	for _, d := range p.Data {
		if d.Language != "es" {
			t.Errorf("%s is %s", d.ID, d.Language)
		}
	}
	asc := u.list("t", "/v1/integration/template?order=asc").ids()
	slices.Reverse(asc)
	if !slices.Equal(asc, p.ids()) {
		t.Errorf("ascending is not the reverse: %v", asc)
	}
	if en := u.list("t", "/v1/integration/template?language=en"); len(en.Data) < 2 || en.Data[0].Language != "en" {
		t.Errorf("English: %+v", en)
	}
	if none := u.list("t", "/v1/integration/template?language="); len(none.Data) != 0 {
		t.Errorf("no language: %+v", none)
	}
}

func TestListTemplates_FaultLanguage_ListsEveryFault(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	p := u.list("t", "/v1/integration/template?limit=100&language="+emulator.FaultLanguage)
	var want []string
	for _, f := range emulator.Faults() {
		want = append(want, f.ID)
	}
	if !slices.Equal(p.ids(), want) {
		t.Errorf("got %v, want %v", p.ids(), want)
	}
}
