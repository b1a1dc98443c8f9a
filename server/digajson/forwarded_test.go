package digajson_test

import (
	"reflect"
	"strings"
	"testing"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// What Diga gets does not show whether a Struct was made of it.
func TestUnmarshalForwarded_VariablesInAnyForm_AreWrittenInOne(t *testing.T) {
	c := variablesCodec(t)
	for text, want := range map[string]string{
		`{}`:                                   `{}`,
		`{"a":1,"b":[true,null,{}]}`:           `{"a":1,"b":[true,null,{}]}`,
		` { "b" : [ 1.0 , -0 ] , "a":1} `:      `{"a":1,"b":[1,-0]}`,
		`{"b":{"d":1e20,"c":0.10},"a":1}`:      `{"a":1,"b":{"c":0.1,"d":100000000000000000000}}`,
		`{"\u0062":"\u00e9\/","\na":"\u000A"}`: `{"\na":"\n","b":"é/"}`,
		`{"b":9007199254740993, "a":1.0}`:      `{"b":9007199254740993, "a":1.0}`,
	} {
		m := new(integrationv1.CopyTemplateRequest)
		if _, err := c.UnmarshalForwarded([]byte(`{"variables":`+text+`,"name":"n"}`), m); err != nil || m.Variables != nil || m.GetVariablesJson() != want || m.GetName() != "n" {
			t.Errorf("%s: %v, %v", text, m, err)
		}
	}
}

// The bounds are those of variables that are decoded, in the same words.
func TestUnmarshalForwarded_VariablesAtTheBounds_AreTakenAsDecodedOnesAre(t *testing.T) {
	c := variablesCodec(t)
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	list := func(n int, sep string) string { return `{"a":[0` + strings.Repeat(sep+"0", n-1) + `]}` }
	for _, sep := range []string{",", ", "} {
		for text, ok := range map[string]bool{
			deep(98): true, deep(99): false, list(digajson.MaxValues-1, sep): true, list(digajson.MaxValues, sep): false,
			`{"a":1,"a":2}`: false, `{"b":1,"a":2,"b":3}`: false, `{"a":"\udc00"}`: false, `[]`: false, `{"a":01}`: false,
		} {
			body := []byte(`{"variables":` + strings.TrimPrefix(sep, ",") + text + `}`)
			m := new(integrationv1.CopyTemplateRequest)
			_, err := c.UnmarshalForwarded(body, m)
			want := c.UnmarshalRequest(body, new(integrationv1.CopyTemplateRequest))
			if (err == nil) != ok || !reflect.DeepEqual(err, want) || ok && m.VariablesJson == nil {
				t.Errorf("%.40s: %v, want %v", text, err, want)
			}
		}
	}
}

// What was checked as it was read is told, and what was read in another way is not.
func TestUnmarshalForwarded_VariablesThatWereChecked_AreReturned(t *testing.T) {
	c := variablesCodec(t)
	for body, want := range map[string]string{
		`{"variables":{"a":1},"name":"n"}`:          `{"a":1}`,
		`{"variables":{ "b":2, "a":1 }}`:            `{"a":1,"b":2}`,
		`{"variables":{"a":9007199254740993}}`:      "", // read as a Struct, which does not hold it
		`{"name":"n","variables_json":"{\"a\":1}"}`: "",
	} {
		m := new(integrationv1.CopyTemplateRequest)
		if got, err := c.UnmarshalForwarded([]byte(body), m); got != want || err != nil || want != "" && m.GetVariablesJson() != want {
			t.Errorf("%s: %q, %v, in %v", body, got, err, m)
		}
	}
}
