package surface_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/server/contract/surface"
)

// base is a small document.
func base(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/base.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parse(t *testing.T, text string) *surface.Surface {
	t.Helper()
	s, err := surface.OfOpenAPI([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// told returns findings in short: class, change and subject, and the number of places
// where it is more than one.
func told(findings []surface.Finding) []string {
	lines := []string{}
	for _, f := range findings {
		line := fmt.Sprintf("%s %s %s", f.Class, f.Change, f.Subject)
		if n := len(f.Places); n > 1 {
			line += fmt.Sprintf(" x%d", n)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

func TestDiff_OfADocumentWithItself_IsNothing(t *testing.T) {
	t.Parallel()
	if got := surface.Diff(parse(t, base(t)), parse(t, base(t))); len(got) > 0 {
		t.Errorf("%q", told(got))
	}
}

// Each change of the base document is one finding, in both directions.
func TestDiff_EachKindOfChange_IsOneFinding(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, old, now, want, back string }{
		{
			"route", `"delete": {`, `"summary": {`,
			"breaking route_gone DELETE /v1/item/{item_id}", "additive route_new DELETE /v1/item/{item_id}",
		},
		{
			"moved route", `"/v1/item/{item_id}"`, `"/v1/items/{item_id}"`,
			"breaking route_moved DELETE /v1/item/{item_id}", "breaking route_moved DELETE /v1/items/{item_id}",
		},
		{
			"status", `"201"`, `"200"`,
			"breaking status POST /v1/item response", "breaking status POST /v1/item response",
		},
		{
			"parameter", `{"name": "order"`, `{"name": "sorting_of_the_page", "required": true`,
			"breaking new GET /v1/item query sorting_of_the_page; breaking gone GET /v1/item query order",
			"breaking gone GET /v1/item query sorting_of_the_page; additive new GET /v1/item query order",
		},
		{
			"required parameter", `{"name": "order"`, `{"required": true, "name": "order"`,
			"breaking required GET /v1/item query order", "additive required GET /v1/item query order",
		},
		{
			"path parameter", `item_id`, `item`,
			"cosmetic renamed DELETE /v1/item/{item_id} path item_id", "cosmetic renamed DELETE /v1/item/{item} path item",
		},
		{
			"format of a path parameter", `{"type": "string", "format": "uuid"}}]`, `{"type": "string"}}]`,
			"additive format DELETE /v1/item/{item_id} path item_id", "breaking format DELETE /v1/item/{item_id} path item_id",
		},
		{
			"maximum", `"maximum": 100`, `"maximum": 50`,
			"breaking limit GET /v1/item query limit", "additive limit GET /v1/item query limit",
		},
		{
			"default", `"default": 20`, `"default": 50`,
			"breaking default GET /v1/item query limit", "breaking default GET /v1/item query limit",
		},
		{
			"value of a parameter", `["asc", "desc"]`, `["asc"]`,
			"breaking value_gone GET /v1/item query order", "additive value_new GET /v1/item query order",
		},
		{
			"body", `"requestBody": {"required": true,`, `"requestBody": {`,
			"additive required POST /v1/item request", "breaking required POST /v1/item request",
		},
		{
			"field of a request", `"count": {"type": "integer"},`, ``,
			"breaking gone NewItem.count", "additive new NewItem.count",
		},
		{
			"required field of a request", `"required": ["name"]`, `"required": ["name", "count"]`,
			"breaking required NewItem.count", "additive required NewItem.count",
		},
		{
			"new required field of a request", `"required": ["name"], "properties": {`, `"required": ["name", "shop"], "properties": { "shop": {"type": "array"},`,
			"breaking new NewItem.shop", "breaking gone NewItem.shop",
		},
		{
			"renamed field", `"approve_it"`, `"approval_it"`,
			"breaking renamed NewItem.approve_it", "breaking renamed NewItem.approval_it",
		},
		{
			"field renamed at its place", `"approve_it"`, `"x"`,
			"breaking renamed NewItem.approve_it", "breaking renamed NewItem.x",
		},
		{
			"null in a request", `{"anyOf": [{"type": "string"}, {"type": "null"}]}`, `{"type": "string"}`,
			"breaking null NewItem.note", "additive null NewItem.note",
		},
		{
			"type in a request", `"count": {"type": "integer"}`, `"count": {"type": "number"}`,
			"additive type NewItem.count", "breaking type NewItem.count",
		},
		{
			"values of a map", `"additionalProperties": {"type": "string"}`, `"additionalProperties": {"type": "integer"}`,
			"breaking type NewItem.headers.*", "breaking type NewItem.headers.*",
		},
		{
			"field of a response", `"price": {"type": "number"},`, ``,
			"breaking gone Item.price x2", "additive new Item.price x2",
		},
		{
			"required field of a response", `["id", "color"]`, `["id"]`,
			"breaking required Item.color x2", "cosmetic required Item.color x2",
		},
		{
			"null in a response", `"price": {"type": "number"}`, `"price": {"type": ["number", "null"]}`,
			"breaking null Item.price x2", "cosmetic null Item.price x2",
		},
		{
			"type in a response", `"price": {"type": "number"}`, `"price": {"type": "integer"}`,
			"cosmetic type Item.price x2", "breaking type Item.price x2",
		},
		{
			"value in both", `["RED", "BLUE"]`, `["RED", "BLUE", "GREEN"]`,
			"additive value_new NewItem.color; breaking value_new Item.color x2",
			"breaking value_gone NewItem.color; cosmetic value_gone Item.color x2",
		},
		{
			"other keys", `"extra": {"type": "object"}`, `"extra": {"type": "object", "additionalProperties": true}`,
			"cosmetic other_keys Item.extra x2", "cosmetic other_keys Item.extra x2",
		},
		{
			"variant", `"const": "DRILL"`, `"const": "PRESS"`,
			"breaking value_new Item.tool x2; cosmetic value_gone Item.tool x2", "breaking value_new Item.tool x2; cosmetic value_gone Item.tool x2",
		},
		{
			"field of a variant", `"teeth": {"type": "integer"}`, `"teeth": {"type": "string"}`,
			"breaking type Saw.teeth x2", "breaking type Saw.teeth x2",
		},
		{
			"body of a response", `"204": {"description": "gone"}`, `"204": {"content": {"application/json": {}}}`,
			"additive new DELETE /v1/item/{item_id} response", "breaking gone DELETE /v1/item/{item_id} response",
		},
		{
			"version", `"version": "1"`, `"version": "2"`,
			"cosmetic about document.version", "cosmetic about document.version",
		},
		{
			"a $ref to what was there", `"count": {"type": "integer"}`, `"count": {"allOf": [{"type": "integer"}], "description": "how many"}`,
			"", "",
		},
		{
			"another spelling of null", `{"anyOf": [{"type": "string"}, {"type": "null"}]}`, `{"type": ["string", "null"]}`,
			"", "",
		},
		{
			"required beside the fields", `"Page": {"type": "object", "required": ["data"], "properties": {"data": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}}}}`,
			`"Page": {"allOf": [{"required": ["data"]}, {"type": "object", "properties": {"data": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}}}}]}`,
			"", "",
		},
		{
			"a schema split in two", `"Color": {"type": "string", "enum": ["RED", "BLUE"]}`, `"Color": {"allOf": [{"type": "string"}, {"enum": ["RED", "BLUE"]}]}`,
			"", "",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			old := base(t)
			now := strings.ReplaceAll(old, row.old, row.now)
			if now == old {
				t.Fatalf("the document has no %s", row.old)
			}
			for _, direction := range []struct{ old, now, want string }{{old, now, row.want}, {now, old, row.back}} {
				got := told(surface.Diff(parse(t, direction.old), parse(t, direction.now)))
				want := slices.DeleteFunc(strings.Split(direction.want, "; "), func(s string) bool { return s == "" })
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("got  %q\nwant %q", got, want)
				}
			}
		})
	}
}
