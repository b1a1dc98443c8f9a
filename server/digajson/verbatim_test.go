package digajson_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

func variablesCodec(t *testing.T) *digajson.Codec {
	t.Helper()
	return compile(t, new(integrationv1.CopyTemplateRequest).ProtoReflect().Descriptor())
}

// A number that no double holds, or that a double would be written otherwise for, keeps
// the whole text as it is.
func TestVerbatim_NumberThatADoubleDoesNotBringBack_KeepsTheText(t *testing.T) {
	c := variablesCodec(t)
	for _, number := range []string{
		"9007199254740993", "-9007199254740993", "1234567890123456789", "18446744073709551617", "1000000000000000000000", "1" + strings.Repeat("0", 400),
		"1e400", "-1e309", "1e-400", "9007199254740993.0", "0.1234567890123456789", "1.00000000000000000001", "123456789.123456789123", "0.30000000000000002", "1E-330",
	} {
		for _, text := range []string{`{ "b" : 1.0,"a":` + number + " }", `{"a":{"b":[` + number + `,-0]}}`} {
			m := new(integrationv1.CopyTemplateRequest)
			if err := c.UnmarshalRequest([]byte(`{"name":"n","variables": `+text+` ,"base_url":"b"}`), m); err != nil || m.GetVariablesJson() != text || m.Variables != nil || m.GetBaseUrl() != "b" {
				t.Errorf("%s: %v, %v", text, m, err)
				continue
			}
			written, err := c.AppendRequest(nil, m)
			wantWritten(t, text, written, err, `{"name":"n","base_url":"b","variables":`+text+`}`)
		}
	}
	for _, number := range []string{
		"0", "-0", "1.0", "1e2", "0.1", "1.5e300", "2.50000000000000000000", "9007199254740992", "9007199254740994.0", "18446744073709551616", "1e21", "1e23", "0.30000000000000004",
		"5e-324", "1.7976931348623157e308", "0e-999", "0.0", "123456.789e-3",
	} {
		m := new(integrationv1.CopyTemplateRequest)
		if err := c.UnmarshalRequest([]byte(`{"variables":{"a":`+number+`}}`), m); err != nil || m.VariablesJson != nil || len(m.GetVariables().GetFields()) != 1 {
			t.Errorf("%s: %v, %v", number, m, err)
		}
	}
}

func TestVerbatim_OtherMistakeBesideTheNumber_IsRefused(t *testing.T) {
	c := variablesCodec(t)
	deep := strings.Repeat("[", 99) + strings.Repeat("]", 99)
	many := strings.Repeat(",0", digajson.MaxValues)
	for text, field := range map[string]string{
		`{"n":1e400,"a":1,"a":2}`:         "variables.a",
		`{"n":1e400,"a":"\udc00"}`:        "variables.a",
		`{"n":1e400,"\udc00":1}`:          "variables",
		`{"n":1e400,"a":` + deep + `}`:    "variables.a" + strings.Repeat("[0]", 98),
		`{"n":1e400,"a":[0` + many + `]}`: "variables.a[99998]",
		`{"n":1e400,"a":01}`:              "variables",
		`{"a":1e400},"variables":{"a":1}`: "variables",
		`{"a":1},"variables":{"a":1e400}`: "variables",
		`[1e400]`:                         "variables",
		`1e400`:                           "variables",
	} {
		m := new(integrationv1.CopyTemplateRequest)
		err := c.UnmarshalRequest([]byte(`{"variables":`+text+`}`), m)
		if e, ok := err.(*digajson.Error); !ok || e.Field() != field {
			t.Errorf("%.40s: %v", text, err)
		}
	}
}

// The JSON of a gRPC caller is held to the rules of the JSON of a REST caller.
func TestCheckVerbatim_TextThatIsNoVariables_IsRefusedByName(t *testing.T) {
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	list := func(n int) string { return `{"a":[0` + strings.Repeat(",0", n-1) + `]}` }
	for text, want := range map[string]string{
		`{}`: "", ` {"a":1e400} `: "", `{"a":1.0}`: "", deep(98): "", list(digajson.MaxValues - 1): "",
		``:                         "variables_json: the JSON ends too early (byte 0)",
		`  `:                       "variables_json: the JSON ends too early (byte 2)",
		`{`:                        "variables_json: the JSON ends too early (byte 1)",
		`{"a":{"b":}}`:             "variables_json: the JSON is not valid here (byte 10)",
		`{"a":1} {}`:               "variables_json: there must be exactly one JSON value (byte 8)",
		`{"a":1}}`:                 "variables_json: there must be exactly one JSON value (byte 7)",
		`{"a":NaN}`:                "variables_json: the JSON is not valid here (byte 5)",
		"\ufeff{}":                 "variables_json: the JSON is not valid here (byte 0)",
		`[]`:                       "variables_json: must be a JSON object",
		`null`:                     "variables_json: must be a JSON object",
		`7`:                        "variables_json: must be a JSON object",
		`"{}"`:                     "variables_json: must be a JSON object",
		`nul`:                      "variables_json: the JSON ends too early (byte 3)",
		`{"a":{"b":1,"\u0062":2}}`: "variables_json.a.b: the key is there twice",
		`{"a":["\ud800"]}`:         "variables_json.a[0]: must be valid Unicode",
		deep(99):                   "variables_json.a" + strings.Repeat("[0]", 98) + ": is nested too deeply",
		list(digajson.MaxValues):   "variables_json.a[99999]: is one value too many",
	} {
		m := &integrationv1.CopyTemplateRequest{VariablesJson: &text}
		fd := m.ProtoReflect().Descriptor().Fields().ByName("variables_json")
		got := ""
		if err := digajson.CheckVerbatim(m.ProtoReflect(), fd, ""); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%.40s: got %q, want %q", text, got, want)
		}
		if _, err := variablesCodec(t).AppendRequest(nil, m); (err == nil) != (want == "") {
			t.Errorf("%.40s: written, %v", text, err)
		}
	}
	both := &integrationv1.CopyTemplateRequest{VariablesJson: new(`{"a":1}`), Variables: &structpb.Struct{}}
	const want = "variables_json: only one of variables and variables_json may be set"
	if err := digajson.CheckVerbatim(both.ProtoReflect(), both.ProtoReflect().Descriptor().Fields().ByName("variables_json"), ""); err == nil || err.Error() != want {
		t.Errorf("both: %v", err)
	}
	if got, err := variablesCodec(t).AppendRequest([]byte("x"), both); err == nil || err.Error() != want || string(got) != "x" {
		t.Errorf("both: %s, %v", got, err)
	}
}

// Only the text that was checked is taken unseen, and only where it is alone.
func TestCheckVerbatim_TextThatWasChecked_IsNotWalkedOver(t *testing.T) {
	const text = `{"a":1,"a":2}` // which a check refuses
	m := &integrationv1.CopyTemplateRequest{VariablesJson: proto.String(text)}
	fd := m.ProtoReflect().Descriptor().Fields().ByName("variables_json")
	for checked, refused := range map[string]bool{text: false, "": true, `{"a":1}`: true, text + " ": true} {
		if err := digajson.CheckVerbatim(m.ProtoReflect(), fd, checked); (err != nil) != refused {
			t.Errorf("checked %q: %v", checked, err)
		}
	}
	if m.Variables = new(structpb.Struct); digajson.CheckVerbatim(m.ProtoReflect(), fd, text) == nil {
		t.Error("taken beside variables")
	}
}

// A value of any kind takes the place of a Value, and its depth is that of the message
// around it.
func TestVerbatim_ValueWithinLists_IsWrittenInItsPlace(t *testing.T) {
	c := compile(t, new(integrationv1.CreateToolRequest).ProtoReflect().Descriptor())
	const text = `{"query":[{"name":"q","fixed_value":1234567890123456789}],"body":[{"name":"b","properties":[{"name":"c","fixed_value":0.1234567890123456789},{"fixed_value":1}]}]}`
	m := new(integrationv1.CreateToolRequest)
	if err := c.UnmarshalRequest([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	inner := m.GetBody()[0].GetProperties()
	if m.GetQuery()[0].GetFixedValueJson() != "1234567890123456789" || m.GetQuery()[0].FixedValue != nil || inner[0].GetFixedValueJson() != "0.1234567890123456789" || inner[1].GetFixedValue().GetNumberValue() != 1 {
		t.Errorf("%v", m)
	}
	written, err := c.AppendRequest(nil, m)
	wantWritten(t, "a tool", written, err, text)
	inner[0].FixedValueJson = new(strings.Repeat("[", 95) + strings.Repeat("]", 95))
	if _, err := c.AppendRequest(nil, m); err != nil {
		t.Error(err)
	}
	inner[0].FixedValueJson = new(strings.Repeat("[", 96) + strings.Repeat("]", 96))
	if _, err := c.AppendRequest(nil, m); err == nil || !strings.HasPrefix(err.Error(), "body[0].properties[0].fixed_value_json[0]") || !strings.HasSuffix(err.Error(), "is nested too deeply") {
		t.Error(err)
	}
	inner[0].FixedValueJson = new("1 2")
	if _, err := c.AppendRequest(nil, m); err == nil || err.Error() != "body[0].properties[0].fixed_value_json: there must be exactly one JSON value (byte 2)" {
		t.Error(err)
	}
}

// What is facade-only is no key of a client's JSON.
func TestVerbatim_KeyOfItsNameInJSON_IsUnknown(t *testing.T) {
	m := new(integrationv1.CopyTemplateRequest)
	if err := variablesCodec(t).UnmarshalRequest([]byte(`{"variables_json":"{\"a\":1}","variables":{"b":1}}`), m); err != nil || m.VariablesJson != nil || len(m.GetVariables().GetFields()) != 1 {
		t.Errorf("%v, %v", m, err)
	}
}

// A response that is written anew loses nothing that was read, and is one line.
func TestVerbatim_ResponseThatIsWrittenAnew_HasTheTextOnOneLine(t *testing.T) {
	c := compile(t, new(integrationv1.IntegrationTemplate).ProtoReflect().Descriptor())
	m := new(integrationv1.IntegrationTemplate)
	text := "{\n  \"n\" :\r\n 1234567890123456789, \"s\": \"a b\\n\", \"d\": 0.1234567890123456789 }"
	if _, err := c.UnmarshalResponse([]byte(`{"id":"x","template":`+text+`}`), m); err != nil || m.GetTemplateJson() != text {
		t.Fatalf("%v, %v", m, err)
	}
	if d := m.GetTemplate().GetFields()["d"].GetNumberValue(); d != 0.12345678901234568 {
		t.Errorf("the decimal is %v", d)
	}
	written, err := c.AppendResponse(nil, m)
	if want := `"template":{  "n" : 1234567890123456789, "s": "a b\n", "d": 0.1234567890123456789 }}`; err != nil || !strings.HasSuffix(string(written), want) {
		t.Errorf("%s, %v", written, err)
	}
}

func TestCheckWire_JSONText_CountsAsTheValuesThatItHolds(t *testing.T) {
	values := func(n int) string { return `{"a":[0` + strings.Repeat(",0", n-2) + `]}` }
	for name, tt := range map[string]struct {
		m     proto.Message
		want  int
		field string
	}{
		"none":           {&integrationv1.CopyTemplateRequest{VariablesJson: new("{}")}, 0, ""},
		"some":           {&integrationv1.CopyTemplateRequest{VariablesJson: new(`{"a":[1,{"b":{}},[]],"c":"x"}`)}, 6, ""},
		"of a Value":     {&integrationv1.CreateToolRequest{Query: []*integrationv1.QueryParam{{FixedValueJson: new(`12`)}}}, 2, ""},
		"at the bound":   {&integrationv1.CopyTemplateRequest{VariablesJson: new(values(digajson.MaxValues))}, digajson.MaxValues, ""},
		"beyond it":      {&integrationv1.CopyTemplateRequest{VariablesJson: new(values(digajson.MaxValues + 1))}, 0, "variables_json"},
		"of a bulk call": {&integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{VariablesJson: new(values(digajson.MaxValues + 1))}}, 0, "copy.variables_json"},
		"deep":           {&integrationv1.CopyTemplateRequest{VariablesJson: new(strings.Repeat(`{"a":`, 101) + "1")}, 0, "variables_json"},
		"no JSON":        {&integrationv1.CopyTemplateRequest{VariablesJson: new("")}, 0, ""},
	} {
		b, err := proto.Marshal(tt.m)
		if err != nil {
			t.Fatal(err)
		}
		n, err := digajson.CheckWire(tt.m.ProtoReflect().Descriptor(), b)
		if e, _ := err.(*digajson.Error); tt.field != "" && (e == nil || e.Field() != tt.field) || tt.field == "" && (err != nil || n != tt.want) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

func TestCanonical_SpellingsOfOneValue_HaveOneForm(t *testing.T) {
	for want, texts := range map[string][]string{
		`{"a":9007199254740993}`:       {`{"a":9007199254740993}`, ` { "\u0061" : 9007199254740993 } `},
		`{"a":1e400,"b":0,"c":1}`:      {`{"c":1.0,"b":-0,"a":1e400}`, `{"a":10E399,"b":0e7,"c":10e-1}`, `{"a":1` + strings.Repeat("0", 400) + `,"b":-0.0,"c":1}`, `{"a":0.1e+401,"b":0,"c":1}`},
		`[-9007199254740993,"\n",0.5]`: {`[-9007199254740993, "\u000a", 5e-1]`},
		`1234567890123456789000`:       {`1234567890123456789000`},
		`1e9999999999999999999`:        {`1e9999999999999999999`},
		`1e9999999999999999998`:        {`1e9999999999999999998`},
	} {
		for _, text := range texts {
			if v, got := digajson.Canonical(text); v != nil || got != want {
				t.Errorf("%.60s: %v, %s", text, v, got)
			}
		}
	}
	// What doubles hold is what a client's JSON was always read as.
	for _, texts := range [][]string{
		{`{"a":1}`, `{"a":1.0}`, `{"a":1e0}`}, {`{"a":0}`, `{"a":-0}`}, {`[1e21]`, `[1000000000000000000000]`, `[1E+21]`}, {`[1e23]`, `[100000000000000000000000]`},
		{`0.1234567890123456789`, `0.12345678901234568`}, {`[18446744073709551616]`, `[18446744073709551616.0]`},
	} {
		first, _ := digajson.Canonical(texts[0])
		for _, text := range texts {
			if v, got := digajson.Canonical(text); v == nil || got != "" || !proto.Equal(v, first) {
				t.Errorf("%s: %v, %q", text, v, got)
			}
		}
	}
	for _, text := range []string{``, `{`, `{"a":1,"a":1}`, `["\ud800"]`, `1 1`} {
		if v, got := digajson.Canonical(text); v != nil || got != "" {
			t.Errorf("%s: %v, %q", text, v, got)
		}
	}
}
