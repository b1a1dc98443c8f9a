package emulator_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/server/emulator"
)

// problemsOf returns type and place of the problems of a 422.
func problemsOf(t *testing.T, r reply) []string {
	t.Helper()
	var body struct {
		Detail []struct {
			Type string
			Loc  []any
		}
	}
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	var list []string
	for _, d := range body.Detail {
		place, _ := json.Marshal(d.Loc)
		list = append(list, d.Type+" "+string(place))
	}
	return list
}

// What Diga lets pass and the contract does not name is refused, and passes without strictness.
func TestStrict_WhatTheContractDoesNotName_IsRefused(t *testing.T) {
	t.Parallel()
	strict, lax := start(t, emulator.Options{Strict: true}), start(t, emulator.Options{})
	const tool = `{"name":"n","description":"d","endpoint_path":"/","method":"GET"`
	id := strict.copied("t", holidays, `{}`)
	if other := lax.copied("t", holidays, `{}`); other != id {
		t.Fatal("the two emulators give other ids")
	}
	short := strings.ReplaceAll(id, "-", "")
	for _, row := range []struct {
		method, path, body string
		want               []string
	}{
		{"POST", "/template/" + deepwiki + "/copy", `{"basse_url":"x","name":"n","request_id":"r"}`, []string{`extra_forbidden ["body","basse_url"]`, `extra_forbidden ["body","request_id"]`}},
		{"POST", "/template/" + strings.ReplaceAll(deepwiki, "-", "") + "/copy", `{}`, []string{`uuid_parsing ["path","template_id"]`}},
		{"GET", "?limit=2&pages=1&a=b", "", []string{`extra_forbidden ["query","a"]`, `extra_forbidden ["query","pages"]`}},
		{"GET", "/" + id, `{}`, []string{`extra_forbidden ["body"]`}},
		{"PATCH", "/" + id, `{"auth_typ":"NONE"}`, []string{`extra_forbidden ["body","auth_typ"]`}},
		{"POST", "/" + id + "/tool", tool + `,"timeout":"5","approval_required":1,"query":[{"name":"q","data_type":"string","required":"yes","type":"x"}]}`,
			[]string{`extra_forbidden ["body","query",0,"type"]`, `bool_type ["body","query",0,"required"]`, `int_type ["body","timeout"]`, `bool_type ["body","approval_required"]`}},
		{"PATCH", "/" + id + "/tool-approval", `{"tools":[{"tool_id":"` + strict.Integrations("t")[0].Tools[0].ID + `","approval_required":"true"}]}`, []string{`bool_type ["body","tools",0,"approval_required"]`}},
		{"GET", "/" + short, "", []string{`uuid_parsing ["path","integration_id"]`}},
	} {
		path := "/v1/integration" + row.path
		got := strict.call("t", row.method, path, row.body)
		if got.status != 422 {
			t.Errorf("%s %s: %d %s", row.method, path, got.status, got.body)
		} else if found := problemsOf(t, got); !slices.Equal(found, row.want) {
			t.Errorf("%s %s: %q, want %q", row.method, path, found, row.want)
		}
		if got := lax.call("t", row.method, path, row.body); got.status > 299 {
			t.Errorf("not strict: %s %s: %d %s", row.method, path, got.status, got.body)
		}
	}
	for _, kind := range []string{"", "text/plain"} {
		r := strict.request("t", "POST", "/v1/integration/template/"+deepwiki+"/copy", `{}`)
		r.Header.Set("Content-Type", kind)
		if got := strict.send(r); got.status != 422 {
			t.Errorf("content type %q: %d %s", kind, got.status, got.body)
		}
	}
	if n := len(strict.Integrations("t")); n != 1 {
		t.Errorf("%d integrations", n)
	}
}

// Strictness knows the fields and parameters of the published document, no more and no fewer.
func TestStrict_NamesWhatThePublishedSchemaNames(t *testing.T) {
	t.Parallel()
	d := load(t)
	u := start(t, emulator.Options{Strict: true})
	checked := 0
	for pattern, methods := range d.at("paths") {
		path := strings.NewReplacer("{template_id}", nobody, "{integration_id}", nobody, "{tool_id}", nobody).Replace(pattern)
		for method := range methods.(map[string]any) {
			operation := published(d.at("paths", pattern, method))
			query := "?no_parameter=1"
			if list, ok := operation["parameters"].([]any); ok {
				for _, p := range list {
					if p := p.(map[string]any); p["in"] == "query" {
						query += "&" + p["name"].(string) + "="
						checked++
					}
				}
			}
			body := ""
			if ref, ok := operation.at("requestBody", "content", "application/json", "schema")["$ref"].(string); ok {
				sent := map[string]any{"no_field": 1}
				for name := range d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)["properties"].(map[string]any) {
					sent[name] = map[string]any{"no": "value"}
					checked++
				}
				text, err := json.Marshal(sent)
				if err != nil {
					t.Fatal(err)
				}
				body = string(text)
			}
			var extra, want []string
			for _, problem := range problemsOf(t, u.call("t", strings.ToUpper(method), path+query, body)) {
				if strings.HasPrefix(problem, "extra_forbidden ") {
					extra = append(extra, problem)
				}
			}
			want = append(want, `extra_forbidden ["query","no_parameter"]`)
			if body != "" {
				want = append(want, `extra_forbidden ["body","no_field"]`)
			}
			if !slices.Equal(extra, want) {
				t.Errorf("%s %s: %q, want %q", method, pattern, extra, want)
			}
		}
	}
	if checked < 30 {
		t.Errorf("only %d names were checked", checked)
	}
}
