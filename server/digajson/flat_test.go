package digajson_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
)

func newTool() proto.Message { return newMessage("Tool") }

func TestFlat_TheDiscriminatorAnywhere_ChoosesTheVariant(t *testing.T) {
	c := compile(t, descriptor("Tool"))
	for text, want := range map[string]string{
		`{"type":"HTTP","id":"x","path":"/p"}`:              `{"http":{"id":"x","path":"/p"}}`,
		`{"id":"x","path":"/p","type":"HTTP"}`:              `{"http":{"id":"x","path":"/p"}}`,
		`{"id":"x","t\u0079pe":"HT\u0054P"}`:                `{"http":{"id":"x"}}`,
		`{"type":"MCP"}`:                                    `{"mcp":{}}`,
		`{"id":"x","type":"MCP"}`:                           `{"mcp":{"id":"x"}}`,
		`{"headers":{"type":"MCP"},"id":"x","type":"HTTP"}`: `{"http":{"id":"x","headers":{"type":"MCP"}}}`,
	} {
		wantRead(t, c, newTool, text, want)
	}
}

func TestFlat_NoDiscriminatorOrAnother_IsRefusedInARequestAndUnsetInAResponse(t *testing.T) {
	c := compile(t, descriptor("Tool"))
	for text, kind := range map[string]string{
		`{}`: "missing", `{"id":"x"}`: "missing", `{"type":null,"id":"x"}`: "missing",
		`{"type":"SSE"}`: "union_tag_invalid", `{"type":"http"}`: "union_tag_invalid", `{"type":""}`: "union_tag_invalid", `{"type":"\ud800"}`: "union_tag_invalid",
		`{"type":5}`: "union_tag_invalid", `{"type":["HTTP"]}`: "union_tag_invalid", `{"type":{}}`: "union_tag_invalid",
	} {
		wantRefused(t, c, newTool(), text, "type", kind)
		wantResponse(t, c, newTool(), text, `{}`, "type: "+kind)
	}
	wantRefused(t, c, newTool(), `{"type":"HTTP","type":"HTTP"}`, "type", "duplicate_key")
	wantRefused(t, c, newTool(), `{"type":"HTTP","id":"x","id":"x"}`, "id", "duplicate_key")
	wantRefused(t, c, newTool(), `{"id":5,"type":"HTTP"}`, "id", "string_type")
	wantRefused(t, c, newTool(), `{"type":"HTTP",}`, "", "json_invalid")
	wantResponse(t, c, newTool(), `{"type":"SSE","type":"MCP","id":"x"}`, `{"mcp":{"id":"x"}}`, "type: duplicate_key")
	wantResponse(t, c, newTool(), `{"type":"HTTP","id":5,"color":"red"}`, `{"http":{}}`, "id: string_type", "color: unknown_field")
	wantResponse(t, c, newTool(), `{"type":"HTTP"}`, `{"http":{}}`, "id: missing")
}

func TestFlat_InListsMapsAndFields_IsABareObject(t *testing.T) {
	c := compile(t, descriptor("Page"))
	newPage := func() proto.Message { return newMessage("Page") }
	const text = `{"data":[{"type":"HTTP","id":"a","path":"/a","headers":{"h":"v"}},{"type":"MCP","id":"b"}],"has_more":true,"one":{"type":"MCP"},"by_id":{"k":{"type":"HTTP","id":"c"}}}`
	const want = `{"data":[{"http":{"id":"a","path":"/a","headers":{"h":"v"}}},{"mcp":{"id":"b"}}],"has_more":true,"one":{"mcp":{}},"by_id":{"k":{"http":{"id":"c"}}}}`
	wantRead(t, c, newPage, text, want)
	m := newPage()
	if err := c.UnmarshalRequest([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	got, err := c.AppendRequest(nil, m)
	wantWritten(t, "request", got, err, text)
	got, err = c.AppendResponse(nil, m)
	wantWritten(t, "response", got, err, `{"data":[{"type":"HTTP","id":"a","path":"/a","headers":{"h":"v"}},{"type":"MCP","id":"b"}],"has_more":true,`+
		`"one":{"type":"MCP","id":null},"by_id":{"k":{"type":"HTTP","id":"c","path":null,"headers":{}}}}`)

	wantRefused(t, c, newPage(), `{"data":[{"type":"MCP"},{"type":"HTTP","path":1}]}`, "data[1].path", "string_type")
	wantRefused(t, c, newPage(), `{"one":{}}`, "one.type", "missing")
	wantResponse(t, c, newPage(), `{"data":[{"type":"SSE","id":"x"},{"type":"MCP","id":"y"}]}`, `{"data":[{},{"mcp":{"id":"y"}}]}`, "data.type: union_tag_invalid")
}

func TestFlat_BrokenOff_KeepsWhatWasCompleteBefore(t *testing.T) {
	c := compile(t, descriptor("Page"))
	for text, want := range map[string]string{
		`{"data":[{"type":"HTTP","id":"x","path":"/tr`: `{"data":[{"http":{"id":"x"}}]}`,
		`{"data":[{"id":"x","type":"HTTP"`:             `{"data":[{"http":{"id":"x"}}]}`,
		`{"data":[{"id":"x","type":"HT`:                `{"data":[{}]}`,
		`{"data":[{"type":"MCP","id":"x"},{"id":"y"`:   `{"data":[{"mcp":{"id":"x"}},{}]}`,
	} {
		m := newMessage("Page")
		if _, err := c.UnmarshalResponse([]byte(text), m); err == nil || plain(t, m) != want {
			t.Errorf("%s: got %s, %v; want %s", text, plain(t, m), err, want)
		}
	}
}

func TestFlat_WithoutAVariant_ResponseIsANullDiscriminatorAndRequestIsRefused(t *testing.T) {
	c := compile(t, descriptor("Tool"))
	got, err := c.AppendResponse(nil, newTool())
	wantWritten(t, "response", got, err, `{"type":null}`)
	_, err = c.AppendRequest(nil, newTool())
	wantError(t, "request", err, "", "missing")

	page := compile(t, descriptor("Page"))
	m := fromPlain(t, descriptor("Page"), `{"data":[{},{"mcp":{}}]}`)
	_, err = page.AppendRequest(nil, m)
	wantError(t, "request", err, "data[0]", "missing")
	got, err = page.AppendResponse(nil, m)
	wantWritten(t, "response", got, err, `{"data":[{"type":null},{"type":"MCP","id":null}],"has_more":false,"one":null,"by_id":{}}`)
	wantResponse(t, page, newMessage("Page"), string(got), `{"data":[{},{"mcp":{}}]}`, "data.type: missing")
}

func TestFlat_ValueWithoutAForm_IsNamedAsInTheContract(t *testing.T) {
	c := compile(t, descriptor("Tool"))
	m := newMessage("Tool")
	proto.Merge(m, fromPlain(t, descriptor("Tool"), `{"http":{"headers":{"a":"b"}}}`))
	http := m.Mutable(m.Descriptor().Fields().ByName("http")).Message()
	http.Set(http.Descriptor().Fields().ByName("path"), protoString("\xff"))
	_, err := c.AppendRequest(nil, m)
	wantError(t, "path", err, "http.path", "string_unicode")
}
