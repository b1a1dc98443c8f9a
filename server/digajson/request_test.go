package digajson_test

import (
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

func newEvery() proto.Message { return newMessage("Every") }

// nested returns depth opening texts, a core and as many closing ones.
func nested(open, core, end string, depth int) string {
	return strings.Repeat(open, depth) + core + strings.Repeat(end, depth)
}

func TestRead_EachKind_IsRead(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for text, want := range map[string]string{
		`{}`:          `{}`,
		" \t\r\n{\n}": `{}`,
		// absent, null, empty and set strings, with and without presence
		`{"s":null}`:                    `{}`,
		`{"s":""}`:                      `{}`,
		`{"s":"x"}`:                     `{"s":"x"}`,
		`{"os":null}`:                   `{}`,
		`{"os":""}`:                     `{"os":""}`,
		`{"os":"x"}`:                    `{"os":"x"}`,
		`{"b":false}`:                   `{}`,
		`{"b":true}`:                    `{"b":true}`,
		`{"ob":false}`:                  `{"ob":false}`,
		`{"ob":null}`:                   `{}`,
		`{"oi32":0}`:                    `{"oi32":0}`,
		`{"oi32":null}`:                 `{}`,
		`{"fl":1.5}`:                    `{"fl":1.5}`,
		`{"db":-2.5e-3}`:                `{"db":-0.0025}`,
		`{"by":"AP8="}`:                 `{"by":"AP8="}`,
		`{"by":""}`:                     `{}`,
		`{"e":"GOOD"}`:                  `{"e":"MOOD_GOOD"}`,
		`{"e":"VERY_BAD"}`:              `{"e":"MOOD_VERY_BAD"}`,
		`{"e":"own spelling"}`:          `{"e":"MOOD_OWN"}`,
		`{"e":"\u0047OOD"}`:             `{"e":"MOOD_GOOD"}`,
		`{"e":null}`:                    `{}`,
		`{"oe":"GOOD"}`:                 `{"oe":"MOOD_GOOD"}`,
		`{"at":"2024-05-06T07:08:09Z"}`: `{"at":"2024-05-06T07:08:09Z"}`,
		`{"at":null}`:                   `{}`,
		`{"st":null}`:                   `{}`,
		`{"st":{}}`:                     `{"st":{}}`,
		`{"st":{"a":null,"b":[1,"x",true,false,{"c":[]}]}}`: `{"st":{"a":null,"b":[1,"x",true,false,{"c":[]}]}}`,
		`{"va":5}`:                        `{"va":5}`,
		`{"va":{"a":[]}}`:                 `{"va":{"a":[]}}`,
		`{"lv":[]}`:                       `{"lv":[]}`,
		`{"lv":[1,[null]]}`:               `{"lv":[1,[null]]}`,
		`{"sub":{}}`:                      `{"sub":{}}`,
		`{"sub":null}`:                    `{}`,
		`{"sub":{"sub":{"s":"x"}}}`:       `{"sub":{"sub":{"s":"x"}}}`,
		`{"ls":[]}`:                       `{}`,
		`{"ls":null}`:                     `{}`,
		`{"ls":["a",""]}`:                 `{"ls":["a",""]}`,
		`{"li":[1,0,-1]}`:                 `{"li":[1,0,-1]}`,
		`{"le":["GOOD"]}`:                 `{"le":["MOOD_GOOD"]}`,
		`{"lt":["2024-05-06T07:08:09Z"]}`: `{"lt":["2024-05-06T07:08:09Z"]}`,
		`{"lva":[1,null]}`:                `{"lva":[1,null]}`,
		`{"ms":{}}`:                       `{}`,
		`{"ms":null}`:                     `{}`,
		`{"ms":{"":"","a":"b"}}`:          `{"ms":{"":"","a":"b"}}`,
		`{"mi":{"a":9007199254740993}}`:   `{"mi":{"a":"9007199254740993"}}`,
		`{"me":{"a":"GOOD"}}`:             `{"me":{"a":"MOOD_GOOD"}}`,
		`{"mva":{"a":null}}`:              `{"mva":{"a":null}}`,
		`{"pick_a":""}`:                   `{"pick_a":""}`,
		`{"pick_a":null,"pick_b":null}`:   `{}`,
		`{"\u0073":"x"}`:                  `{"s":"x"}`,
	} {
		wantRead(t, c, newEvery, text, want)
	}
}

func TestRequest_MessagesInListsAndMaps_AreRead(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for _, text := range []string{
		`{"lm":[{"id":"1"},{},{"note":"n","below":{"id":"2"}}]}`,
		`{"mm":{"a":{"id":"1"},"b":{}}}`,
	} {
		m := newEvery()
		if err := c.UnmarshalRequest([]byte(text), m); err != nil || plain(t, m) != text {
			t.Errorf("%s: got %s, %v", text, plain(t, m), err)
		}
	}
}

func TestRequest_WrongValue_NamesThePlace(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for _, tt := range []struct{ text, field, kind string }{
		{`[]`, ``, "model_attributes_type"},
		{`null`, ``, "model_attributes_type"},
		{`12`, ``, "model_attributes_type"},
		{`"\ud800"`, ``, "model_attributes_type"},
		{`{"s":1}`, `s`, "string_type"},
		{`{"s":{}}`, `s`, "string_type"},
		{`{"s":["\ud800"]}`, `s`, "string_unicode"},
		{`{"b":"true"}`, `b`, "bool_type"},
		{`{"b":1}`, `b`, "bool_type"},
		{`{"i32":"1"}`, `i32`, "int_type"},
		{`{"i32":1.5}`, `i32`, "int_type"},
		{`{"fl":"1"}`, `fl`, "float_type"},
		{`{"by":"A"}`, `by`, "bytes_invalid_encoding"},
		{`{"by":1}`, `by`, "string_type"},
		{`{"e":1}`, `e`, "enum"},
		{`{"e":"MOOD_GOOD"}`, `e`, "enum"},
		{`{"e":"OWN"}`, `e`, "enum"},
		{`{"e":"good"}`, `e`, "enum"},
		{`{"e":"UNSPECIFIED"}`, `e`, "enum"},
		{`{"e":""}`, `e`, "enum"},
		{`{"at":1}`, `at`, "datetime_parsing"},
		{`{"at":"soon"}`, `at`, "datetime_parsing"},
		{`{"st":[]}`, `st`, "dict_type"},
		{`{"st":"{}"}`, `st`, "dict_type"},
		{`{"lv":{}}`, `lv`, "list_type"},
		{`{"sub":[]}`, `sub`, "dict_type"},
		{`{"sub":{"sub":{"b":0}}}`, `sub.sub.b`, "bool_type"},
		{`{"ls":{}}`, `ls`, "list_type"},
		{`{"ls":["a",1]}`, `ls[1]`, "string_type"},
		{`{"ls":[null]}`, `ls[0]`, "string_type"},
		{`{"lm":[{"id":"x"},{"id":1}]}`, `lm[1].id`, "string_type"},
		{`{"lm":[null]}`, `lm[0]`, "dict_type"},
		{`{"le":["x"]}`, `le[0]`, "enum"},
		{`{"ms":[]}`, `ms`, "dict_type"},
		{`{"ms":{"a":null}}`, `ms.a`, "string_type"},
		{`{"mi":{"a":"1"}}`, `mi.a`, "int_type"},
		{`{"mm":{"a":[]}}`, `mm.a`, "dict_type"},
		{`{"mm":{"a":{"note":[]}}}`, `mm.a.note`, "string_type"},
		{`{"st":{"a":[0,{"b":1e400}]}}`, `st.a[1].b`, "finite_number"},
		{`{"st":{"a":["\udc00"]}}`, `st.a[0]`, "string_unicode"},
		{`{"pick_a":"x","pick_b":{}}`, `pick_b`, "oneof_set_twice"},
		// duplicates, at every level
		{`{"s":"x","s":"x"}`, `s`, "duplicate_key"},
		{`{"s":null,"s":"x"}`, `s`, "duplicate_key"},
		{`{"s":"x","\u0073":"x"}`, `s`, "duplicate_key"},
		{`{"sub":{"s":"","s":""}}`, `sub.s`, "duplicate_key"},
		{`{"lm":[{"id":"","id":""}]}`, `lm[0].id`, "duplicate_key"},
		{`{"ms":{"a":"","a":""}}`, `ms.a`, "duplicate_key"},
		{`{"mm":{"a":{},"a":{}}}`, `mm.a`, "duplicate_key"},
		{`{"st":{"a":1,"a":1}}`, `st.a`, "duplicate_key"},
		{`{"st":{"x":[{"a":1,"\u0061":1}]}}`, `st.x[0].a`, "duplicate_key"},
		{`{"lva":[{"a":1,"a":1}]}`, `lva[0].a`, "duplicate_key"},
	} {
		wantRefused(t, c, newEvery(), tt.text, tt.field, tt.kind)
	}
}

func TestRequest_MessageOfAnError_NamesTheFieldAndNoValue(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for text, want := range map[string]string{
		`{"s":12345}`:                         "s: must be a string",
		`{"e":"sesame"}`:                      "e: must be one of GOOD, VERY_BAD, own spelling",
		`{"st":{"a":1000000000000000000000}}`: "st.a: is an integer of more than 21 digits; write it as a string",
		`{"st":{"a":9007199254740993}}`:       "st.a: is an integer that a double cannot hold exactly; write it as a string",
		`["sesame"]`:                          "must be a JSON object",
		`{`:                                   "the JSON ends too early",
		`{"s":"x"}x`:                          "there must be exactly one JSON value",
		`{"s":sesame}`:                        "s: the JSON is not valid here",
	} {
		err := c.UnmarshalRequest([]byte(text), newEvery())
		if err == nil {
			t.Errorf("%s: accepted", text)
		} else if err.Error() != want {
			t.Errorf("%s: got %q, want %q", text, err, want)
		}
	}
}

func TestError_KeyOfAClient_IsPrintableAndBounded(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for key, want := range map[string]string{
		`a b`:                         "a b",
		`é中`:                          "é中",
		`\n\u001b[31m`:                "??[31m",
		`\u202e\ufffd`:                "??",
		strings.Repeat("k", 64):       strings.Repeat("k", 64),
		strings.Repeat("k", 65):       strings.Repeat("k", 64) + "…",
		"a" + strings.Repeat("中", 30): "a" + strings.Repeat("中", 21) + "…",
	} {
		err := c.UnmarshalRequest([]byte(`{"st":{"`+key+`":1e999}}`), newEvery())
		if e := err.(*digajson.Error); e.Field() != "st."+want {
			t.Errorf("%s: got %q, want %q", key, e.Field(), "st."+want)
		}
	}
	err := c.UnmarshalRequest([]byte(`{"st":{"\n":[[],{"b":1e999}]}}`), newEvery())
	if want := []any{"st", "\n", 1, "b"}; !reflect.DeepEqual(err.(*digajson.Error).Path, want) {
		t.Errorf("path: got %q, want %q", err.(*digajson.Error).Path, want)
	}
}

func TestRequest_UnknownKey_IsIgnoredWithWhatItHolds(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for _, text := range []string{
		`{"zzz":1}`, `{"zzz":{"a":[{}],"a":null},"zzz":[]}`, `{"S":1}`, `{"":{}}`, `{"pickA":"x"}`,
		`{"hidden":"x"}`, `{"hidden":5,"hidden":6}`, `{"zzz":1e999}`, `{"zzz":9007199254740993}`,
	} {
		m := newEvery()
		if err := c.UnmarshalRequest([]byte(text), m); err != nil || plain(t, m) != `{}` {
			t.Errorf("%s: %v %s", text, err, plain(t, m))
		}
	}
	for text, field := range map[string]string{
		`{"zzz":"\ud800"}`:               "zzz",
		`{"zzz":[{"` + "\xff" + `":1}]}`: "zzz",
	} {
		wantRefused(t, c, newEvery(), text, field, "string_unicode")
	}
	wantRefused(t, c, newEvery(), `{"\ud800":1}`, "", "string_unicode")
	wantRefused(t, c, newEvery(), `{"zzz":[1,]}`, "", "json_invalid")
}

func TestRequest_ExcludedAndFacadeOnlyFields_AreNeitherReadNorWritten(t *testing.T) {
	c := compile(t, (&integrationv1.CopyTemplateRequest{}).ProtoReflect().Descriptor(), digajson.Exclude("template_id"))
	m := new(integrationv1.CopyTemplateRequest)
	if err := c.UnmarshalRequest([]byte(`{"template_id":5,"request_id":["x"],"name":"n"}`), m); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(m, &integrationv1.CopyTemplateRequest{Name: proto.String("n")}) {
		t.Errorf("got %v", m)
	}
	m.TemplateId, m.RequestId = "t", "r"
	if got, err := c.AppendRequest(nil, m); err != nil || string(got) != `{"name":"n"}` {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := c.AppendResponse(nil, m); err != nil || string(got) != `{"name":"n","api_key":null,"base_url":null,"variables":null}` {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestRequest_WhatRFC8259Forbids_IsRefused(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for _, text := range []string{
		``, ` `, "\x00", `{`, `}`, `{"s"}`, `{"s":}`, `{"s":"x",}`, `{,}`, `{"s" "x"}`, `{s:"x"}`, `{'s':"x"}`,
		`{"s":"x"} {}`, `{"s":"x"},`, `{} x`, "{}\x00", "\ufeff{}", `{"s":"x"/**/}`, "{\u00a0}", "{\f}",
		`{"s":"` + "\n" + `"}`, `{"s":"` + "\x00" + `"}`, `{"s":"` + "\x1f" + `"}`, `{"s":"\x"}`, `{"s":"\u12g4"}`, `{"s":"\u12"}`, `{"s":"\U0041"}`,
		`{"va":01}`, `{"va":-}`, `{"va":+1}`, `{"va":1.}`, `{"va":.5}`, `{"va":1e}`, `{"va":1e+}`, `{"va":0x1}`, `{"va":NaN}`, `{"va":Infinity}`, `{"va":-Infinity}`,
		`{"va":tru}`, `{"va":True}`, `{"va":nul}`, `{"va":nulll}`, `{"s":nil}`, `{"va":[1,]}`, `{"va":[,]}`, `{"va":[1 2]}`, `{"va":{"a"}}`, `{"va":{a:1}}`, `{"va":{"a":1,}}`,
		`{"zzz":01}`, `{"zzz":[1,]}`, `{"zzz":{"a":1,}}`, `{"zzz":{1:1}}`, `{"zzz":[}`, `{"zzz":{]}`, `{"zzz":[1}`, `{"zzz":{"a":1]}`, `{"zzz":"\ud8"}`, `{"zzz":undefined}`,
		`{"i32":01}`, `{"i32":-}`, `{"fl":1.}`, `{"fl":--1}`, `{"b":truth}`, `{"b":falsey}`, `{"ls":["a" "b"]}`, `{"ms":{"a":"b" "c":"d"}}`,
	} {
		err := c.UnmarshalRequest([]byte(text), newEvery())
		if e, ok := err.(*digajson.Error); !ok || e.Kind != digajson.KindJSON {
			t.Errorf("request %q: got %v", text, err)
		}
		if _, err := c.UnmarshalResponse([]byte(text), newEvery()); err == nil {
			t.Errorf("response %q: accepted", text)
		}
	}
}

func TestRequest_InvalidJSON_SaysWhere(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for text, want := range map[string]int{``: 0, `{"s":tru}`: 8, `{"b":tru}`: 8, `{"zzz":[1,2,}`: 12, `{} x`: 3, `{"s":"a\x"}`: 8, `{"s":"a`: 7} {
		err := c.UnmarshalRequest([]byte(text), newEvery())
		e, ok := err.(*digajson.Error)
		if !ok || e.Kind != digajson.KindJSON {
			t.Errorf("%s: got %v", text, err)
		} else if e.Offset != want {
			t.Errorf("%s: got offset %d, want %d", text, e.Offset, want)
		}
	}
}

func TestDepth_AtTheBound_IsReadAndWritten_BeyondItIsNot(t *testing.T) {
	c := compile(t, descriptor("Every"))
	const deepest = digajson.MaxDepth
	for _, tt := range []struct {
		name  string
		text  func(levels int) string // of objects and arrays, the root counted
		field string                  // its beginning
	}{
		{"message", func(n int) string { return nested(`{"sub":`, `{}`, `}`, n-1) }, "sub.sub."},
		{"struct", func(n int) string { return `{"st":` + nested(`{"a":`, `{}`, `}`, n-2) + `}` }, "st.a.a."},
		{"array", func(n int) string { return `{"va":` + nested(`[`, `[]`, `]`, n-2) + `}` }, "va[0][0]"},
		{"list value", func(n int) string { return `{"lv":` + nested(`[`, `[]`, `]`, n-2) + `}` }, "lv[0][0]"},
		{"list of values", func(n int) string { return `{"lva":` + nested(`[`, `[]`, `]`, n-2) + `}` }, "lva[0][0]"},
		{"list", func(n int) string { return nested(`{"sub":`, `{"ls":["x"]}`, `}`, n-2) }, "sub.sub."},
		{"list of messages", func(n int) string { return nested(`{"sub":`, `{"lm":[{"note":"x"}]}`, `}`, n-3) }, "sub.sub."},
		{"map", func(n int) string { return nested(`{"sub":`, `{"ms":{"a":"x"}}`, `}`, n-2) }, "sub.sub."},
		{"map of messages", func(n int) string { return nested(`{"sub":`, `{"mm":{"a":{"note":"x"}}}`, `}`, n-3) }, "sub.sub."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newEvery()
			if err := c.UnmarshalRequest([]byte(tt.text(deepest)), m); err != nil {
				t.Fatalf("%d levels: %v", deepest, err)
			}
			if got, err := c.AppendRequest(nil, m); err != nil || string(got) != tt.text(deepest) {
				t.Errorf("%d levels: written as %.60s, %v", deepest, got, err)
			}
			for _, n := range []int{deepest + 1, deepest + 2, 50_000} {
				err := c.UnmarshalRequest([]byte(tt.text(n)), newEvery())
				e, ok := err.(*digajson.Error)
				if !ok || e.Kind != "recursion_loop" || !strings.HasPrefix(e.Field(), tt.field) {
					t.Errorf("%d levels: got %.80v", n, err)
				}
				// A response is read without it, and can be written again.
				m := newEvery()
				drift, err := c.UnmarshalResponse([]byte(tt.text(n)), m)
				if err != nil || len(drift) == 0 {
					t.Errorf("%d levels: %v %q", n, err, drift)
				}
				if _, err := c.AppendResponse(nil, m); err != nil {
					t.Errorf("%d levels: not written: %.80v", n, err)
				}
			}
			if _, err := c.AppendRequest(nil, tooDeep(t, tt.name)); err == nil {
				t.Error("a message beyond the bound is written")
			}
		})
	}
}

// tooDeep returns a message one level beyond the bound.
func tooDeep(t *testing.T, kind string) proto.Message {
	root := newMessage("Every")
	m := root.ProtoReflect()
	fd := m.Descriptor().Fields().ByName("sub")
	levels := map[string]int{"list": 1, "map": 1, "list of messages": 2, "map of messages": 2}[kind]
	for range digajson.MaxDepth - levels {
		m = m.Mutable(fd).Message()
	}
	inner := map[string]string{
		"list": `{"ls":["x"]}`, "map": `{"ms":{"a":"x"}}`, "list of messages": `{"lm":[{}]}`, "map of messages": `{"mm":{"a":{}}}`,
	}[kind]
	if inner != "" {
		proto.Merge(m.Interface(), fromPlain(t, m.Descriptor(), inner))
	}
	return root
}

func TestDepth_InWhatIsSkipped_DoesNotMatter(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for _, deep := range []string{nested(`[`, ``, `]`, 50_000), nested(`{"a":`, `1`, `}`, 50_000), nested(`[{"a":`, `[]`, `}]`, 50_000)} {
		text := `{"zzz":` + deep + `,"s":"x"}`
		m := newEvery()
		if err := c.UnmarshalRequest([]byte(text), m); err != nil || plain(t, m) != `{"s":"x"}` {
			t.Errorf("request: %.80v", err)
		}
		wantResponse(t, c, newEvery(), text, `{"s":"x"}`, "zzz: unknown_field")
		wantResponse(t, c, newEvery(), `{"i32":`+deep+`,"s":"x"}`, `{"s":"x"}`, "i32: int_type")
		wantRefused(t, c, newEvery(), `{"s":`+deep+`}`, "s", "string_type")
	}
	wantRefused(t, c, newEvery(), `{"zzz":`+strings.Repeat(`[`, 50_000)+`}`, "", "json_invalid")
}
