package emulator_test

import (
	"slices"
	"testing"

	"github.com/digate/digate/server/emulator"
)

func TestCreateTool_FillsInDefaults(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	path := "/v1/integration/" + u.copied("t", holidays, `{}`) + "/tool"
	got := u.call("t", "POST", path, `{"name":"n","description":"d","endpoint_path":"/x/{y}","method":"POST",`+
		`"query":[{"name":"q","data_type":"integer","fixed_value":1.0}],"path":[{"name":"y"}],`+
		`"body":[{"name":"b","data_type":"object","properties":[{"name":"c","data_type":"string"}]}],"timeout":"7"}`)
	tools := u.Integrations("t")[0].Tools
	want := `{"id":"` + tools[2].ID + `","type":"HTTP","name":"n","description":"d","endpoint_path":"/x/{y}",` +
		`"query":[{"name":"q","data_type":"integer","description":null,"required":true,"value_source":"llm","fixed_value":1.0}],` +
		`"body":[{"name":"b","data_type":"object","description":null,"required":true,"value_source":"llm","fixed_value":null,` +
		`"properties":[{"name":"c","data_type":"string","description":null,"required":true,"value_source":"llm","fixed_value":null,"properties":null}]}],` +
		`"path":[{"name":"y","description":null,"required":true,"value_source":"llm","fixed_value":null}],` +
		`"headers":null,"method":"POST","timeout":7,"approval_required":false,"execution_audio":null,"pre_speech":"auto"}`
	wantReply(t, got, 201, want)
	wantReply(t, u.call("t", "GET", path+"/"+tools[2].ID, ""), 200, want)

	got = u.call("t", "POST", path, `{"name":"m","description":"d","endpoint_path":"/","method":"GET","query":null,"timeout":null}`)
	if got.field(t, "query") != nil || got.field(t, "timeout") != nil || got.status != 201 {
		t.Errorf("nulls: %d %s", got.status, got.body)
	}
}

func TestListTools_NewestFirst(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	id := u.copied("t", holidays, `{}`)
	tools := u.Integrations("t")[0].Tools
	p := u.list("t", "/v1/integration/"+id+"/tool?limit=1")
	if !p.HasMore || !slices.Equal(p.ids(), []string{tools[1].ID}) {
		t.Errorf("got %+v, tools %+v", p, tools)
	}
	p = u.list("t", "/v1/integration/"+id+"/tool?limit=1&after="+*p.LastID)
	if p.HasMore || !slices.Equal(p.ids(), []string{tools[0].ID}) {
		t.Errorf("second: %+v", p)
	}
}

func TestUpdateTool_AbsentStaysAndNullClears(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	id := u.copied("t", holidays, `{}`)
	tool := u.Integrations("t")[0].Tools[0].ID
	path := "/v1/integration/" + id + "/tool/" + tool
	before := u.call("t", "GET", path, "").body
	wantReply(t, u.call("t", "PATCH", path, `{}`), 200, before)

	wantReply(t, u.call("t", "PATCH", path, `{"endpoint_path":null,"query":null,"body":null,"path":null,"headers":null,"timeout":null,"execution_audio":null,"pre_speech":null}`), 200,
		`{"id":"`+tool+`","type":"HTTP","name":"festivos_del_anio","description":"Lista los festivos de un año.","endpoint_path":null,"query":null,"body":null,"path":null,`+
			`"headers":null,"method":"GET","timeout":null,"approval_required":false,"execution_audio":null,"pre_speech":"auto"}`)
	want := `{"id":"` + tool + `","type":"HTTP","name":"N","description":"D","endpoint_path":"/p","query":[],"body":[],"path":[],` +
		`"headers":{"h":"v"},"method":"PUT","timeout":9,"approval_required":true,"execution_audio":"waiting_music","pre_speech":"force"}`
	wantReply(t, u.call("t", "PATCH", path, `{"name":"N","description":"D","endpoint_path":"/p","query":[],"body":[],"path":[],"headers":{"h":"v"},`+
		`"method":"PUT","timeout":9,"approval_required":true,"execution_audio":"waiting_music","pre_speech":"force"}`), 200, want)
	wantReply(t, u.call("t", "GET", path, ""), 200, want)
}

func TestUpdateTool_FillsThePlaceholder_EndsSetup(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	id := u.copied("t", holidays, `{}`)
	for _, tool := range u.Integrations("t")[0].Tools {
		if !u.Integrations("t")[0].RequiresSetup {
			t.Error("setup ended early")
		}
		u.call("t", "PATCH", "/v1/integration/"+id+"/tool/"+tool.ID, `{"endpoint_path":"/fixed"}`)
	}
	if u.Integrations("t")[0].RequiresSetup {
		t.Error("setup has not ended")
	}
}

func TestTools_DuplicateNames_Are409(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	id := u.copied("t", holidays, `{}`)
	path := "/v1/integration/" + id + "/tool"
	tools := u.Integrations("t")[0].Tools
	for _, row := range [][3]string{
		{"POST", path, `{"name":"proximos_festivos","description":"d","endpoint_path":"/","method":"GET"}`},
		{"PATCH", path + "/" + tools[0].ID, `{"name":"proximos_festivos"}`},
		{"POST", path, `{"name":"n","description":"d","endpoint_path":"/","method":"GET","path":[{"name":"x"},{"name":"x"}]}`},
		{"PATCH", path + "/" + tools[0].ID, `{"query":[{"name":"x","data_type":"string"},{"name":"x","data_type":"number"}]}`},
	} {
		got := u.call("t", row[0], row[1], row[2])
		if got.status != 409 || got.field(t, "error_code") != "DUPLICATE_FIELD" {
			t.Errorf("%v: %d %s", row, got.status, got.body)
		}
	}
	if got := u.call("t", "PATCH", path+"/"+tools[0].ID, `{"name":"festivos_del_anio"}`); got.status != 200 {
		t.Errorf("its own name: %d %s", got.status, got.body)
	}
	if got := u.Integrations("t")[0].Tools; !slices.Equal(got, tools) {
		t.Errorf("changed to %+v", got)
	}
}

func TestTools_OfMCPIntegration_CannotBeEdited(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	id := u.copied("t", deepwiki, `{}`)
	path := "/v1/integration/" + id + "/tool"
	tool := u.Integrations("t")[0].Tools[0].ID
	want := `{"status":"error","error_code":"INTEGRATION_TYPE","message":"The tools of MCP integration ` + id + ` come from its server"}`
	wantReply(t, u.call("t", "POST", path, `{"name":"n","description":"d","endpoint_path":"/","method":"GET"}`), 400, want)
	wantReply(t, u.call("t", "PATCH", path+"/"+tool, `{}`), 400, want)
	wantReply(t, u.call("t", "DELETE", path+"/"+tool, ""), 400, want)
	wantReply(t, u.call("t", "GET", path+"/"+tool, ""), 200, `{"id":"`+tool+`","type":"MCP","name":"ask_question",`+
		`"description":"Responde a una pregunta sobre un repositorio.","parameters":{"type":"object","properties":{"repoName":{"type":"string"},`+
		`"question":{"type":"string"}},"required":["repoName","question"]},"approval_required":false}`)
}

func TestDeleteTool_LeavesTheOthers(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	id := u.copied("t", holidays, `{}`)
	path := "/v1/integration/" + id + "/tool/"
	tools := u.Integrations("t")[0].Tools
	wantReply(t, u.call("t", "DELETE", path+tools[0].ID, ""), 204, "")
	gone := `{"status":"error","error_code":"INTEGRATION_TOOL_NOT_FOUND","message":"There is no tool ` + tools[0].ID + ` in this integration"}`
	wantReply(t, u.call("t", "DELETE", path+tools[0].ID, ""), 404, gone)
	wantReply(t, u.call("t", "PATCH", path+tools[0].ID, `{}`), 404, gone)
	wantReply(t, u.call("t", "GET", path+tools[0].ID, ""), 404, gone)
	if got := u.Integrations("t")[0].Tools; !slices.Equal(got, tools[1:]) {
		t.Errorf("left: %+v", got)
	}
}

func TestToolApproval_ChangesAllOrNothing(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	for _, template := range []string{holidays, github} {
		token := template
		id := u.copied(token, template, `{}`)
		path := "/v1/integration/" + id + "/tool-approval"
		tools := u.Integrations(token)[0].Tools
		both := func(second string) string {
			return `{"tools":[{"tool_id":"` + tools[0].ID + `","approval_required":true},{"tool_id":"` + second + `","approval_required":"yes"}]}`
		}
		if got := u.call(token, "PATCH", path, both(nobody)); got.status != 404 || got.field(t, "error_code") != "INTEGRATION_TOOL_NOT_FOUND" {
			t.Errorf("unknown tool: %d %s", got.status, got.body)
		}
		if got := u.Integrations(token)[0].Tools; got[0].ApprovalRequired {
			t.Error("half of a refused request was done")
		}
		wantReply(t, u.call(token, "PATCH", path, both(tools[1].ID)), 204, "")
		for _, tool := range u.Integrations(token)[0].Tools {
			if !tool.ApprovalRequired {
				t.Errorf("not approved: %+v", tool)
			}
		}
	}
}

func TestTools_OfUnknownIntegration_Are404(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	path := "/v1/integration/" + nobody
	for _, row := range [][3]string{
		{"GET", path + "/tool", ""},
		{"POST", path + "/tool", `{"name":"n","description":"d","endpoint_path":"/","method":"GET"}`},
		{"GET", path + "/tool/" + nobody, ""},
		{"PATCH", path + "/tool/" + nobody, `{}`},
		{"DELETE", path + "/tool/" + nobody, ""},
		{"PATCH", path + "/tool-approval", `{"tools":[{"tool_id":"` + nobody + `","approval_required":true}]}`},
	} {
		if got := u.call("t", row[0], row[1], row[2]); got.status != 404 || got.field(t, "error_code") != "INTEGRATION_NOT_FOUND" {
			t.Errorf("%v: %d %s", row, got.status, got.body)
		}
	}
}
