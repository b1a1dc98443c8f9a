package surface_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/digate/digate/server/contract/surface"
)

// schemaDocument is a document with one response of one schema, beside others.
func schemaDocument(schema, schemas string) string {
	return `{"openapi": "3.1.0", "paths": {"/a": {"get": {"responses": {"200": {"content": {"application/json": {"schema": ` + schema +
		`}}}}}}}, "components": {"schemas": {` + schemas + `}}}`
}

func TestOfOpenAPI_WhatIsWrongWithADocument_IsNamed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, want string }{
		{"empty", ``, "no OpenAPI document in JSON"},
		{"a page", `<html>`, "no OpenAPI document in JSON"},
		{"other JSON", `{}`, `no "openapi" of version 3`},
		{"another version", `{"openapi": "2.0"}`, `no "openapi" of version 3`},
		{"without paths", `{"openapi": "3.1.0"}`, `no "paths"`},
		{"paths of another type", `{"openapi": "3.1.0", "paths": {"/a": 5}}`, `path "/a"`},
		{"operation of another type", `{"openapi": "3.1.0", "paths": {"/a": {"get": 5}}}`, `"GET /a"`},
		{"route twice", `{"openapi": "3.1.0", "paths": {"/a/{b}": {"get": {}}, "/a/{c}": {"get": {}}}}`, "GET /a/{c} is in the document twice"},
		{"parameter without a name", `{"openapi": "3.1.0", "paths": {"/a": {"get": {"parameters": [{"in": "query"}]}}}}`, "lacks its name"},
		{"$ref to nothing", schemaDocument(`{"$ref": "#/components/schemas/B"}`, ``), `$ref "#/components/schemas/B" leads nowhere`},
		{"$ref to another document", schemaDocument(`{"$ref": "https://example.com/x.json"}`, ``), "leads nowhere within the document"},
		{"$ref to itself", schemaDocument(`{"$ref": "#/components/schemas/B"}`, `"B": {"$ref": "#/components/schemas/B"}`), "leads to itself"},
		{"allOf of itself", schemaDocument(`{"$ref": "#/components/schemas/B"}`, `"B": {"allOf": [{"$ref": "#/components/schemas/B"}]}`), "leads to itself"},
		{"unknown type", schemaDocument(`{"type": "text"}`, ``), "none of JSON's types"},
		{"type that is no name", schemaDocument(`{"type": 5}`, ``), "must be a name"},
		{"deep", schemaDocument(strings.Repeat(`{"items":`, 200)+`{}`+strings.Repeat(`}`, 200), ``), "nested more than 100 deep"},
		{"wide", schemaDocument(`{"properties": {`+properties(60_000)+`}}`, ``), "more than 50000 values"},
		{"large", schemaDocument(`{}`, ``) + strings.Repeat(" ", surface.MaxDocument), "more than 8388608 bytes"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if _, err := surface.OfOpenAPI([]byte(row.text)); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v, want %q", err, row.want)
			}
		})
	}
}

func properties(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"f%d": {"type": "string"}`, i)
	}
	return strings.Join(all, ",")
}

// A schema that doubles with each name is refused before it fills the memory.
func TestOfOpenAPI_SchemasThatMultiply_AreBounded(t *testing.T) {
	t.Parallel()
	var schemas []string
	for i := range 60 {
		below := fmt.Sprintf(`{"$ref": "#/components/schemas/S%d"}`, i+1)
		schemas = append(schemas, fmt.Sprintf(`"S%d": {"allOf": [%s, %s, {"properties": {"f%d": {"anyOf": [%s, %s]}}}]}`, i, below, below, i, below, below))
	}
	schemas = append(schemas, `"S60": {"type": "object"}`)
	s, err := surface.OfOpenAPI([]byte(schemaDocument(`{"$ref": "#/components/schemas/S0"}`, strings.Join(schemas, ","))))
	if err != nil {
		return
	}
	surface.Diff(s, s)
}

// Two documents of the same schemas in another order are compared in bounded time,
// though each type holds the next one many times.
func TestDiff_TypesThatMultiply_AreBounded(t *testing.T) {
	t.Parallel()
	document := func(leaf string) *surface.Surface {
		var schemas []string
		for i := range 35 {
			below := fmt.Sprintf(`{"$ref": "#/components/schemas/S%d"}`, i+1)
			schemas = append(schemas, fmt.Sprintf(`"S%d": {"properties": {"a": %s, "b": %s}}`, i, below, below))
		}
		schemas = append(schemas, `"S35": {"type": "`+leaf+`"}`)
		return parse(t, schemaDocument(`{"$ref": "#/components/schemas/S0"}`, strings.Join(schemas, ",")))
	}
	surface.Diff(document("string"), document("integer"))
}

func TestOfOpenAPI_SchemaThatHoldsItself_IsRead(t *testing.T) {
	t.Parallel()
	tree := func(leaf string) *surface.Surface {
		return parse(t, schemaDocument(`{"$ref": "#/components/schemas/Tree"}`,
			`"Tree": {"type": "object", "properties": {"leaf": {"type": "`+leaf+`"}, "left": {"anyOf": [{"$ref": "#/components/schemas/Tree"}, {"type": "null"}]},
			"below": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}}}`))
	}
	if got := told(surface.Diff(tree("string"), tree("integer"))); len(got) != 1 || got[0] != "breaking type Tree.leaf" {
		t.Errorf("%q", got)
	}
}

func FuzzOfOpenAPI(f *testing.F) {
	f.Add(schemaDocument(`{"$ref": "#/components/schemas/B"}`, `"B": {"properties": {"b": {"$ref": "#/components/schemas/B"}}}`))
	f.Add(schemaDocument(`{"oneOf": [{"properties": {"t": {"const": "A"}}}, {"properties": {"t": {"const": "B"}}}], "discriminator": {"propertyName": "t"}}`, ``))
	f.Add(schemaDocument(`{"allOf": [{"type": ["string", "null"], "enum": ["a", null]}, {"maxLength": 3}], "default": "a"}`, ``))
	f.Add(schemaDocument(`{"anyOf": [{"enum": [1, 1.5, true, {}, []]}, {"items": false}, {"additionalProperties": {}}]}`, `"C": true`))
	f.Add(`{"openapi": "3.0.0", "paths": {"/a/{b}": {"parameters": [{"name": "b", "in": "path"}], "post": {"requestBody": {"$ref": "#/components/requestBodies/R"}}}}}`)
	other, err := surface.OfOpenAPI([]byte(schemaDocument(`{"type": "object", "properties": {"b": {"type": "string"}}}`, ``)))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := surface.OfOpenAPI([]byte(text))
		if err != nil {
			return
		}
		again, err := surface.OfOpenAPI([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := surface.Diff(s, again); len(got) > 0 {
			t.Errorf("the document differs from itself: %q", told(got))
		}
		surface.Diff(s, other)
		surface.Diff(other, s)
	})
}
