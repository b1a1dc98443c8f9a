package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/digate/digate/server/openapi"
)

// described is an OpenAPI document, and the part of JSON Schema that checks values by it.
type described struct{ root map[string]any }

func describedAs(t *testing.T, text string) described {
	t.Helper()
	var d described
	if err := json.Unmarshal([]byte(text), &d.root); err != nil {
		t.Fatal(err)
	}
	return d
}

// theDocument returns the document of the REST side.
func theDocument(t *testing.T) described {
	t.Helper()
	return describedAs(t, string(openapi.JSON()))
}

// at returns the object at a path of members, with references followed.
func (d described) at(o map[string]any, path ...string) map[string]any {
	for _, name := range path {
		o, _ = o[name].(map[string]any)
		o = d.follow(o)
	}
	return o
}

func (d described) follow(o map[string]any) map[string]any {
	target, ok := o["$ref"].(string)
	if !ok {
		return o
	}
	return d.at(d.root, strings.Split(strings.TrimPrefix(target, "#/"), "/")...)
}

// operation returns the operation of a name, with its path and verb.
func (d described) operation(t *testing.T, id string) (op map[string]any, path, verb string) {
	t.Helper()
	for path, item := range d.at(d.root, "paths") {
		for verb, op := range item.(map[string]any) {
			if o := op.(map[string]any); o["operationId"] == id {
				return o, path, verb
			}
		}
	}
	t.Fatalf("the document has no operation %s", id)
	return nil, "", ""
}

// request returns the example of a request's body, which fits its schema.
func (d described) request(t *testing.T, id string) string {
	t.Helper()
	op, _, _ := d.operation(t, id)
	for kind, media := range d.at(op, "requestBody", "content") {
		m := media.(map[string]any)
		if kind == "application/x-ndjson" {
			d.checkLines(t, id+" example", d.at(m, "schema"), m["example"].(string))
			return m["example"].(string)
		}
		if err := d.check(d.at(m, "schema"), m["example"]); err != nil {
			t.Errorf("the example of %s: %v", id, err)
		}
		text, err := json.Marshal(m["example"])
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	t.Fatalf("%s has no request body", id)
	return ""
}

// transport are the headers that HTTP itself gives a response, and that no operation
// names.
var transport = []string{"Content-Type", "Content-Length", "Date", "Connection", "X-Content-Type-Options", "Vary", "Cache-Control", "Accept-Ranges"}

// holds checks a response to a request of an operation: its status, its headers and its
// body are in the document.
func (d described) holds(t *testing.T, id string, got response) {
	t.Helper()
	op, _, _ := d.operation(t, id)
	resp := d.at(op, "responses", strconv.Itoa(got.status))
	if resp == nil {
		resp = d.at(op, "responses", fmt.Sprintf("%dXX", got.status/100))
	}
	if resp == nil {
		t.Errorf("%s: a %d is not in the document", id, got.status)
		return
	}
	headers := d.at(resp, "headers")
	for name := range got.header {
		if !slices.Contains(transport, name) && !hasName(headers, name) {
			t.Errorf("%s: the header %s of a %d is not in the document", id, name, got.status)
		}
	}
	for name := range headers {
		h := d.at(headers, name)
		values := got.header.Values(name)
		if len(values) == 0 {
			if h["required"] == true {
				t.Errorf("%s: a %d without the header %s", id, got.status, name)
			}
			continue
		}
		if err := d.check(d.at(h, "schema"), asParameter(d.at(h, "schema"), values[0])); err != nil {
			t.Errorf("%s: the header %s of a %d: %v", id, name, got.status, err)
		}
	}
	kind := got.header.Get("Content-Type")
	media := d.at(resp, "content", kind)
	switch {
	case kind == "" && got.body == "" && d.at(resp, "content") == nil:
	case media == nil:
		t.Errorf("%s: a %d of the type %q is not in the document: %s", id, got.status, kind, got.body)
	case kind == "application/x-ndjson":
		d.checkLines(t, id, d.at(media, "schema"), got.body)
	default:
		var value any
		if err := json.Unmarshal([]byte(got.body), &value); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if err := d.check(d.at(media, "schema"), value); err != nil {
			t.Errorf("%s: the body of a %d: %v: %s", id, got.status, err, got.body)
		}
	}
}

func hasName(headers map[string]any, name string) bool {
	for known := range headers {
		if strings.EqualFold(known, name) {
			return true
		}
	}
	return false
}

// asParameter returns the value of a header as JSON would have it.
func asParameter(schema map[string]any, text string) any {
	if kind := schema["type"]; kind == "integer" || kind == "number" {
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return n
		}
	}
	return text
}

func (d described) checkLines(t *testing.T, id string, schema map[string]any, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		var value any
		if err := json.Unmarshal([]byte(line), &value); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if err := d.check(schema, value); err != nil {
			t.Errorf("%s: %v: %s", id, err, line)
		}
	}
}

var uuidText = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// checked are the keywords that check knows, and those that say nothing about a value.
var checked = []string{
	"$ref", "type", "const", "enum", "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum",
	"minItems", "items", "required", "properties", "additionalProperties", "anyOf", "oneOf", "description", "discriminator",
}

// check returns an error if a value does not fit a schema.
func (d described) check(schema map[string]any, value any) error {
	for keyword := range schema {
		if !slices.Contains(checked, keyword) {
			return fmt.Errorf("the keyword %s is not checked", keyword)
		}
	}
	if schema["$ref"] != nil {
		if err := d.check(d.follow(schema), value); err != nil {
			return err
		}
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		if err := d.choose(keyword, schema[keyword], value); err != nil {
			return err
		}
	}
	if kinds := schema["type"]; kinds != nil && !slices.ContainsFunc(kindsOf(value), func(kind string) bool { return kinds == kind || among(kinds, kind) }) {
		return fmt.Errorf("%v is no %v", value, kinds)
	}
	if c, ok := schema["const"]; ok && c != value {
		return fmt.Errorf("%v is not %v", value, c)
	}
	if values, ok := schema["enum"]; ok && !among(values, value) {
		return fmt.Errorf("%v is not one of %v", value, values)
	}
	switch v := value.(type) {
	case string:
		return checkText(schema, v)
	case float64:
		return checkNumber(schema, v)
	case []any:
		if least, ok := schema["minItems"].(float64); ok && len(v) < int(least) {
			return fmt.Errorf("%d items, fewer than %v", len(v), least)
		}
		items, _ := schema["items"].(map[string]any)
		for i := range v {
			if err := d.check(items, v[i]); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
	case map[string]any:
		return d.checkObject(schema, v)
	}
	return nil
}

func (d described) choose(keyword string, choices, value any) error {
	all, ok := choices.([]any)
	if !ok {
		return nil
	}
	fitting, reasons := 0, ""
	for _, choice := range all {
		if err := d.check(choice.(map[string]any), value); err != nil {
			reasons += "; " + err.Error()
			continue
		}
		fitting++
	}
	if fitting == 0 || keyword == "oneOf" && fitting > 1 {
		return fmt.Errorf("%d of %s fit%s", fitting, keyword, reasons)
	}
	return nil
}

func (d described) checkObject(schema, value map[string]any) error {
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := value[name.(string)]; !ok {
			return fmt.Errorf("%s is missing", name)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	others, _ := schema["additionalProperties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(value)) {
		own, known := properties[name].(map[string]any)
		switch {
		case !known && properties != nil && schema["additionalProperties"] == nil:
			return fmt.Errorf("%s is not in the document", name)
		case !known:
			own = others
		}
		if err := d.check(own, value[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func checkText(schema map[string]any, text string) error {
	if pattern, ok := schema["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(text) {
		return fmt.Errorf("%q is not %s", text, pattern)
	}
	if schema["format"] == "uuid" && !uuidText.MatchString(text) {
		return fmt.Errorf("%q is no UUID", text)
	}
	if least, ok := schema["minLength"].(float64); ok && len(text) < int(least) {
		return fmt.Errorf("%q is too short", text)
	}
	if most, ok := schema["maxLength"].(float64); ok && len(text) > int(most) {
		return fmt.Errorf("%q is too long", text)
	}
	return nil
}

func checkNumber(schema map[string]any, n float64) error {
	if least, ok := schema["minimum"].(float64); ok && n < least {
		return fmt.Errorf("%v is below %v", n, least)
	}
	if least, ok := schema["exclusiveMinimum"].(float64); ok && n <= least {
		return fmt.Errorf("%v is not above %v", n, least)
	}
	if most, ok := schema["maximum"].(float64); ok && n > most {
		return fmt.Errorf("%v is above %v", n, most)
	}
	return nil
}

func among(values, value any) bool {
	all, _ := values.([]any)
	return slices.ContainsFunc(all, func(v any) bool { return v == value })
}

// kindsOf returns the types of JSON Schema that a value has.
func kindsOf(value any) []string {
	switch v := value.(type) {
	case nil:
		return []string{"null"}
	case bool:
		return []string{"boolean"}
	case string:
		return []string{"string"}
	case float64:
		if v == math.Trunc(v) {
			return []string{"number", "integer"}
		}
		return []string{"number"}
	case []any:
		return []string{"array"}
	default:
		return []string{"object"}
	}
}
