package emulator_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/digate/digate/server/emulator"
)

// published is Diga's OpenAPI document, or as much of JSON Schema as it uses.
type published map[string]any

// load reads the document, which is not part of this repository.
func load(t *testing.T) published {
	t.Helper()
	const file = "../../../shared/contract/diga-integration-openapi.json"
	data, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		t.Skipf("Diga's OpenAPI document is not at hand (%s): responses cannot be checked against it", file)
	}
	if err != nil {
		t.Fatal(err)
	}
	var d published
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// at walks down objects by key.
func (d published) at(keys ...string) map[string]any {
	o := map[string]any(d)
	for _, key := range keys {
		o, _ = o[key].(map[string]any)
	}
	return o
}

var (
	uuidFormat = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	timeFormat = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)
)

// check returns the contradictions between a value and the schema. It is stricter than JSON Schema:
// every property must be declared, and every declared property must be there.
func (d published) check(schema map[string]any, v any, where string) []string {
	if ref, ok := schema["$ref"].(string); ok {
		return d.check(d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...), v, where)
	}
	for _, word := range []string{"anyOf", "oneOf"} {
		if options, ok := schema[word].([]any); ok {
			return d.checkAny(options, v, where)
		}
	}
	var wrong []string
	if words, ok := schema["enum"].([]any); ok && !slices.Contains(words, v) {
		wrong = append(wrong, fmt.Sprintf("%s: %v is not one of %v", where, v, words))
	}
	if word, ok := schema["const"]; ok && word != v {
		wrong = append(wrong, fmt.Sprintf("%s: %v is not %v", where, v, word))
	}
	if kind, _ := schema["type"].(string); kind != "" && kind != kindOf(v) && (kind != "number" || kindOf(v) != "integer") {
		return append(wrong, fmt.Sprintf("%s: %v is no %s", where, v, kind))
	}
	switch v := v.(type) {
	case string:
		if f := schema["format"]; f == "uuid" && !uuidFormat.MatchString(v) || f == "date-time" && !timeFormat.MatchString(v) {
			wrong = append(wrong, fmt.Sprintf("%s: %q is no %s", where, v, f))
		}
	case []any:
		items, _ := schema["items"].(map[string]any)
		for i, item := range v {
			wrong = append(wrong, d.check(items, item, where+"["+strconv.Itoa(i)+"]")...)
		}
	case map[string]any:
		wrong = append(wrong, d.checkObject(schema, v, where)...)
	}
	return wrong
}

func (d published) checkAny(options []any, v any, where string) []string {
	var wrong []string
	for _, option := range options {
		found := d.check(option.(map[string]any), v, where)
		if len(found) == 0 {
			return nil
		}
		wrong = append(wrong, found...)
	}
	return wrong
}

func (d published) checkObject(schema, o map[string]any, where string) []string {
	var wrong []string
	properties, _ := schema["properties"].(map[string]any)
	for name := range properties {
		if _, ok := o[name]; !ok {
			wrong = append(wrong, where+": no "+name)
		}
	}
	for name, v := range o {
		inner, declared := properties[name].(map[string]any)
		if !declared {
			inner, declared = schema["additionalProperties"].(map[string]any)
		}
		if !declared {
			if schema["additionalProperties"] != true {
				wrong = append(wrong, where+": undeclared "+name)
			}
			continue
		}
		wrong = append(wrong, d.check(inner, v, where+"."+name)...)
	}
	return wrong
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	}
	return "object"
}

// TestResponses_FitThePublishedSchema calls every operation, well and badly.
func TestResponses_FitThePublishedSchema(t *testing.T) {
	t.Parallel()
	d := load(t)
	u := start(t, emulator.Options{})
	seen := map[string]bool{}
	expect := func(status int, operation, path, body string) reply {
		t.Helper()
		method, pattern, _ := strings.Cut(operation, " ")
		got := u.call("t", method, path, body)
		if got.status != status {
			t.Fatalf("%s %s: %d %s", method, path, got.status, got.body)
		}
		seen[operation] = true
		response := d.at("paths", pattern, strings.ToLower(method), "responses", strconv.Itoa(status))
		if response == nil {
			t.Errorf("%s: %d is not documented", operation, status)
		}
		schema := published(response).at("content", "application/json", "schema")
		if (schema == nil) != (got.body == "") {
			t.Errorf("%s %d: schema %v, body %q", operation, status, schema, got.body)
		}
		if schema == nil {
			return got
		}
		if strings.Contains(got.body, `{"detail":`) { // published without input and ctx
			return got
		}
		var value any
		if err := json.Unmarshal([]byte(got.body), &value); err != nil {
			t.Fatal(err)
		}
		for _, wrong := range d.check(schema, value, operation) {
			t.Error(wrong)
		}
		return got
	}
	const (
		templates    = "/v1/integration/template"
		integrations = "/v1/integration"
		one          = "/v1/integration/{integration_id}"
	)
	for _, query := range []string{"", "?page=1&limit=2", "?language=en", "?language=" + emulator.FaultLanguage, "?language=none"} {
		expect(200, "GET "+templates, templates+query, "")
	}
	expect(422, "GET "+templates, templates+"?limit=0", "")
	var ids []string
	for _, template := range u.Templates() {
		expect(200, "GET "+templates+"/{template_id}", templates+"/"+template.ID, "")
		got := expect(201, "POST "+templates+"/{template_id}/copy", templates+"/"+template.ID+"/copy", `{"variables":{"shop":"a"}}`)
		ids = append(ids, got.field(t, "id").(string))
	}
	expect(404, "GET "+templates+"/{template_id}", templates+"/"+nobody, "")
	expect(422, "GET "+templates+"/{template_id}", templates+"/x", "")
	expect(404, "POST "+templates+"/{template_id}/copy", templates+"/"+nobody+"/copy", `{}`)
	expect(422, "POST "+templates+"/{template_id}/copy", templates+"/"+nobody+"/copy", "")

	expect(201, "POST "+integrations, integrations, `{"name":"n","base_url":"b","integration_type":"MCP","headers":{"a":"b"},"auth_key":"k","description":"d"}`)
	expect(201, "POST "+integrations, integrations, `{"name":"n","base_url":"b","integration_type":"HTTP"}`)
	expect(422, "POST "+integrations, integrations, `{}`)
	for _, query := range []string{"", "?page=1&limit=2", "?integration_type=MCP", "?after=" + ids[3]} {
		expect(200, "GET "+integrations, integrations+query, "")
	}
	expect(422, "GET "+integrations, integrations+"?page=0", "")

	for i, it := range u.Integrations("t") {
		path := integrations + "/" + it.ID
		expect(200, "GET "+one, path, "")
		expect(200, "PATCH "+one, path, `{"auth_key":"k","headers":{"x":"y"}}`)
		tools := path + "/tool"
		const tool = `{"name":"made","description":"d","endpoint_path":"/{p}","method":"DELETE","path":[{"name":"p"}],"headers":{"a":"b"},` +
			`"query":[{"name":"q","data_type":"number","fixed_value":1.5}],"execution_audio":"typing","pre_speech":"force",` +
			`"body":[{"name":"b","data_type":"object","properties":[{"name":"c","data_type":"string"}]}]}`
		if it.IntegrationType == "HTTP" {
			made := tools + "/" + expect(201, "POST "+one+"/tool", tools, tool).field(t, "id").(string)
			expect(409, "POST "+one+"/tool", tools, tool)
			expect(200, "GET "+one+"/tool/{tool_id}", made, "")
			expect(200, "PATCH "+one+"/tool/{tool_id}", made, `{"query":null,"body":null,"path":null,"headers":null,"timeout":null,"endpoint_path":null,"execution_audio":null,"pre_speech":null}`)
			expect(409, "PATCH "+one+"/tool/{tool_id}", made, `{"query":[{"name":"q","data_type":"string"},{"name":"q","data_type":"string"}]}`)
			expect(204, "DELETE "+one+"/tool/{tool_id}", made, "")
			expect(404, "GET "+one+"/tool/{tool_id}", made, "")
		} else {
			expect(400, "POST "+one+"/tool", tools, tool)
			expect(400, "PATCH "+one+"/tool/{tool_id}", tools+"/"+nobody, `{}`)
			expect(400, "DELETE "+one+"/tool/{tool_id}", tools+"/"+nobody, "")
		}
		expect(200, "GET "+one+"/tool", tools, "")
		expect(200, "GET "+one+"/tool", tools+"?page=1&limit=1", "")
		if len(it.Tools) > 0 {
			expect(200, "GET "+one+"/tool/{tool_id}", tools+"/"+it.Tools[0].ID, "")
			expect(204, "PATCH "+one+"/tool-approval", path+"/tool-approval", `{"tools":[{"tool_id":"`+it.Tools[0].ID+`","approval_required":true}]}`)
		}
		if i%2 == 0 {
			expect(204, "DELETE "+one, path, "")
			expect(404, "GET "+one, path, "")
			expect(404, "PATCH "+one, path, `{}`)
			expect(404, "DELETE "+one, path, "")
			expect(404, "GET "+one+"/tool", tools, "")
			expect(404, "PATCH "+one+"/tool-approval", path+"/tool-approval", `{"tools":[{"tool_id":"`+nobody+`","approval_required":true}]}`)
		}
	}
	for pattern, methods := range d.at("paths") {
		for method := range methods.(map[string]any) {
			if operation := strings.ToUpper(method) + " " + pattern; !seen[operation] {
				t.Errorf("%s was not called", operation)
			}
		}
	}
}
