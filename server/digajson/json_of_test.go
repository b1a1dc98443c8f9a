package digajson_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

func TestJSONOf_StructThatCannotHoldAll_LosesNothing(t *testing.T) {
	c := compile(t, new(integrationv1.IntegrationTemplate).ProtoReflect().Descriptor())
	many := `{"a":[` + strings.Repeat("0,", digajson.MaxValues) + `0]}`
	deep := `{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`
	for _, tt := range []struct{ template, json, kept string }{
		{`{"a":1,"b":9007199254740994}`, "", "a b"},
		{` { "a" : 1, "b":[1234567890123456789 ] } `, `{ "a" : 1, "b":[1234567890123456789 ] }`, "a b"},
		{`{"a":1,"b":1e999}`, `{"a":1,"b":1e999}`, "a"},
		{`{"a":"x","b":"\ud800"}`, `{"a":"x","b":"\ud800"}`, "a"},
		{"{\"a\":\"x\",\"b\":\"\xff\"}", "{\"a\":\"x\",\"b\":\"\ufffd\"}", "a"},
		{many, many, "unset"}, {deep, deep, "a"},
		{`[1]`, `[1]`, "unset"}, {`null`, "", "unset"}, {`{}`, "", ""},
		{`{"b":1e999},"template":{"a":1}`, "", "a"}, // of a key that is there twice, the last counts
	} {
		m := new(integrationv1.IntegrationTemplate)
		if _, err := c.UnmarshalResponse([]byte(`{"id":"x","template":`+tt.template+`,"name":"n"}`), m); err != nil {
			t.Fatal(err)
		}
		kept := "unset"
		if m.Template != nil {
			var keys []string
			for _, key := range []string{"a", "b"} {
				if m.Template.Fields[key] != nil {
					keys = append(keys, key)
				}
			}
			kept = strings.Join(keys, " ")
		}
		if m.GetTemplateJson() != tt.json || (m.TemplateJson != nil) != (tt.json != "") || kept != tt.kept || m.GetName() != "n" {
			t.Errorf("%.60s: kept %s, JSON %.60q", tt.template, kept, m.GetTemplateJson())
		}
		if _, err := proto.Marshal(m); err != nil {
			t.Errorf("%.60s: %v", tt.template, err)
		}
		if written, err := c.AppendResponse(nil, m); err != nil || strings.Contains(string(written), "template_json") {
			t.Errorf("%s, %v", written, err)
		}
	}
	mcp := new(integrationv1.Tool)
	text := `{"type":"MCP","name":"m","parameters":{"maximum":9223372036854775807,"type":"integer"}}`
	if _, err := compile(t, mcp.ProtoReflect().Descriptor()).UnmarshalResponse([]byte(text), mcp); err != nil {
		t.Fatal(err)
	}
	if got := mcp.GetMcp(); got.GetParametersJson() != `{"maximum":9223372036854775807,"type":"integer"}` || len(got.GetParameters().GetFields()) != 1 {
		t.Errorf("%v", got)
	}
}
