package emulator_test

import (
	"slices"
	"testing"
	"time"

	"github.com/digate/digate/server/emulator"
)

func TestCreateIntegration_GivesDigasBytes(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	for _, row := range []struct{ body, want string }{
		{`{"name":"n","base_url":"https://b","integration_type":"HTTP"}`,
			`"name":"n","description":null,"base_url":"https://b","auth_type":"NONE","integration_type":"HTTP","auth_key":null,"headers":null,"requires_setup":false`},
		{`{"integration_type":"MCP","headers":{"Z":"1","A":"<é>\u2028"},"auth_key":"k","base_url":"","name":"","description":"d"}`,
			`"name":"","description":"d","base_url":"","auth_type":"API_KEY","integration_type":"MCP","auth_key":"k","headers":{"Z":"1","A":"<é>` + "\u2028" + `"},"requires_setup":false`},
	} {
		got := u.call("t", "POST", "/v1/integration", row.body)
		have := u.Integrations("t")
		id := have[len(have)-1].ID
		want := `{"id":"` + id + `",` + row.want + `,"source_integration_template_id":null,` +
			`"created_at":"2026-11-23T20:02:11.123456Z","updated_at":"2026-11-23T20:02:11.123456Z"}`
		wantReply(t, got, 201, want)
		wantReply(t, u.call("t", "GET", "/v1/integration/"+id, ""), 200, want)
	}
}

func TestListIntegrations_ByType(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	http := u.copied("t", shopify, `{}`)
	mcp := u.copied("t", deepwiki, `{}`)
	for query, want := range map[string][]string{
		"": {mcp, http}, "?integration_type=HTTP": {http}, "?integration_type=MCP": {mcp},
	} {
		if got := u.list("t", "/v1/integration"+query).ids(); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
}

func TestUpdateIntegration_AbsentStaysAndNullClears(t *testing.T) {
	t.Parallel()
	now := clock()
	u := start(t, emulator.Options{Now: func() time.Time { now = now.Add(time.Second); return now }})
	created := u.call("t", "POST", "/v1/integration",
		`{"name":"n","description":"d","base_url":"b","integration_type":"HTTP","auth_key":"k","headers":{"a":"b"}}`)
	path := "/v1/integration/" + created.field(t, "id").(string)
	base := func() emulator.Integration { return u.Integrations("t")[0] }

	before := base()
	if got := u.call("t", "PATCH", path, `{}`); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	after := base()
	if after.Name != "n" || *after.Description != "d" || after.BaseURL != "b" || *after.AuthKey != "k" || after.Headers["a"] != "b" {
		t.Errorf("an empty update changed something: %+v", after)
	}
	if !after.UpdatedAt.After(before.UpdatedAt) || !after.CreatedAt.Equal(before.CreatedAt) {
		t.Errorf("times: %v, then %v", before, after)
	}

	u.call("t", "PATCH", path, `{"description":null,"auth_key":null,"headers":null}`)
	after = base()
	if after.Description != nil || after.AuthKey != nil || after.Headers != nil || after.AuthType != "NONE" || after.Name != "n" {
		t.Errorf("after clearing: %+v", after)
	}

	u.call("t", "PATCH", path, `{"name":"N","description":"","base_url":"B","auth_key":"K","headers":{}}`)
	after = base()
	if after.Name != "N" || *after.Description != "" || after.BaseURL != "B" || *after.AuthKey != "K" || after.AuthType != "API_KEY" ||
		after.Headers == nil || len(after.Headers) != 0 {
		t.Errorf("after setting: %+v", after)
	}
}

func TestUpdateIntegration_SuppliesWhatSetupLacks(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	id := u.copied("t", shopify, `{}`)
	path := "/v1/integration/" + id
	if got := u.call("t", "PATCH", path, `{"auth_key":"k"}`); got.field(t, "requires_setup") != true {
		t.Errorf("with key, without shop: %s", got.body)
	}
	if got := u.call("t", "PATCH", path, `{"base_url":"https://acme.example.com"}`); got.field(t, "requires_setup") != false {
		t.Errorf("with both: %s", got.body)
	}
	if got := u.call("t", "PATCH", path, `{"auth_key":null}`); got.field(t, "requires_setup") != true || got.field(t, "auth_type") != "API_KEY" {
		t.Errorf("key taken away: %s", got.body)
	}
}

func TestUpdateIntegration_TextWithoutJSONForm_ChangesNothing(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	id := u.copied("t", deepwiki, `{}`)
	wantReply(t, u.call("t", "PATCH", "/v1/integration/"+id, `{"name":"\udfff"}`), 500, "Internal Server Error")
	if got := u.Integrations("t")[0].Name; got != "DeepWiki (MCP)" {
		t.Errorf("got %q", got)
	}
}

func TestDeleteIntegration_IsGoneForGood(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	id := u.copied("t", deepwiki, `{}`)
	kept := u.copied("t", deepwiki, `{}`)
	wantReply(t, u.call("t", "DELETE", "/v1/integration/"+id, ""), 204, "")
	gone := `{"status":"error","error_code":"INTEGRATION_NOT_FOUND","message":"There is no integration ` + id + `"}`
	wantReply(t, u.call("t", "DELETE", "/v1/integration/"+id, ""), 404, gone)
	wantReply(t, u.call("t", "GET", "/v1/integration/"+id, ""), 404, gone)
	wantReply(t, u.call("t", "PATCH", "/v1/integration/"+id, `{}`), 404, gone)
	if got := u.list("t", "/v1/integration").ids(); !slices.Equal(got, []string{kept}) {
		t.Errorf("left: %v", got)
	}
}
