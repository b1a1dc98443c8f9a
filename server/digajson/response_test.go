package digajson_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// full is a response with every field, in the contract's order.
const full = `{"id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","name":"Customer desk","base_url":"https://api.example.com/v2/shop",` +
	`"auth_type":"API_KEY","integration_type":"HTTP","created_at":"2024-05-06T07:08:09.123456Z","updated_at":"2024-05-07T00:00:00Z",` +
	`"description":"Looks up orders and refunds","auth_key":"sk-1234567890abcdef","headers":{"X-Env":"prod","X-Tenant":"acme"},` +
	`"requires_setup":true,"source_integration_template_id":"7b1f5f0e-8d5b-4c7e-9a56-0f7e6c1d2b3a"}`

const fullPlain = `{"id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","name":"Customer desk","base_url":"https://api.example.com/v2/shop",` +
	`"auth_type":"AUTH_TYPE_API_KEY","integration_type":"INTEGRATION_TYPE_HTTP","created_at":"2024-05-06T07:08:09.123456Z","updated_at":"2024-05-07T00:00:00Z",` +
	`"description":"Looks up orders and refunds","auth_key":"sk-1234567890abcdef","headers":{"X-Env":"prod","X-Tenant":"acme"},` +
	`"requires_setup":true,"source_integration_template_id":"7b1f5f0e-8d5b-4c7e-9a56-0f7e6c1d2b3a"}`

func newIntegration() proto.Message { return new(integrationv1.Integration) }

func integrationCodec(t testing.TB) *digajson.Codec {
	return compile(t, newIntegration().ProtoReflect().Descriptor())
}

// missing is the drift of an Integration without these required fields.
func missing(fields ...string) (drift []string) {
	for _, f := range fields {
		drift = append(drift, f+": missing")
	}
	return drift
}

func TestResponse_FullIntegration_IsWholeAndWithoutDrift(t *testing.T) {
	c := integrationCodec(t)
	m := new(integrationv1.Integration)
	wantResponse(t, c, m, full, fullPlain)
	got, err := c.AppendResponse(nil, m)
	if err != nil || string(got) != full {
		t.Errorf("written as\n%s\nwant\n%s (%v)", got, full, err)
	}
}

func TestResponse_IntoADynamicMessage_IsTheSame(t *testing.T) {
	c := integrationCodec(t)
	wantResponse(t, c, dynamicpb.NewMessage(newIntegration().ProtoReflect().Descriptor()), full, fullPlain)
}

func TestResponse_PoorerThanTheContract_KeepsTheRest(t *testing.T) {
	c := integrationCodec(t)
	rest := missing("name", "base_url", "auth_type", "integration_type", "created_at", "updated_at")
	for _, tt := range []struct {
		text, want string
		drift      []string
	}{
		{`{}`, `{}`, append(missing("id"), rest...)},
		{`{"id":"x"}`, `{"id":"x"}`, rest},
		{`{"id":null}`, `{}`, append([]string{"id: null"}, rest...)},
		{`{"id":"x","name":null,"base_url":"","auth_type":null}`, `{"id":"x"}`, []string{
			"name: null", "auth_type: null", "integration_type: missing", "created_at: missing", "updated_at: missing",
		}},
		{`{"id":"x","auth_type":"OAUTH","integration_type":7,"created_at":"yesterday","updated_at":null,"name":["n"],"base_url":{"u":1}}`, `{"id":"x"}`, []string{
			"auth_type: enum", "integration_type: enum", "created_at: datetime_parsing", "name: string_type", "base_url: string_type", "updated_at: null",
		}},
		{`{"id":"x","headers":{"a":"1","b":2,"c":null},"requires_setup":"yes","description":null}`, `{"id":"x","headers":{"a":"1"}}`,
			append([]string{"headers.*: string_type", "requires_setup: bool_type"}, rest...)},
		{`{"id":"x","headers":["a"],"description":{"text":"t"}}`, `{"id":"x"}`,
			append([]string{"headers: dict_type", "description: string_type"}, rest...)},
		{`{"id":"x","headers":null,"requires_setup":null}`, `{"id":"x"}`, rest},
		{`{"id":"x","schema_version":7,"extra":{"a":[1]}}`, `{"id":"x"}`,
			append([]string{"schema_version: unknown_field", "extra: unknown_field"}, rest...)},
		{`{"id":"x","name":"\ud800"}`, `{"id":"x"}`, append([]string{"name: string_unicode"}, rest[1:]...)},
		{`{"id":"x","name":"` + "\xff" + `"}`, `{"id":"x"}`, append([]string{"name: string_unicode"}, rest[1:]...)},
		{`{"id":"x","headers":{"\ud800abcde\\":"v","a":"b"}}`, `{"id":"x","headers":{"a":"b"}}`, append([]string{"headers.*: string_unicode"}, rest...)},
	} {
		wantResponse(t, c, new(integrationv1.Integration), tt.text, tt.want, tt.drift...)
		wantResponse(t, c, dynamicpb.NewMessage(newIntegration().ProtoReflect().Descriptor()), tt.text, tt.want, tt.drift...)
	}
}

func TestResponse_OddValues_LeaveJustTheirPlaceOut(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for _, tt := range []struct {
		text, want string
		drift      []string
	}{
		{`{"ls":["a",1,null,"b"]}`, `{"ls":["a","b"]}`, []string{"ls: string_type"}},
		{`{"li":[1,"2",3]}`, `{"li":[1,3]}`, []string{"li: int_type"}},
		{`{"le":["GOOD","NEW"]}`, `{"le":["MOOD_GOOD"]}`, []string{"le: enum"}},
		{`{"lt":["2024-05-06T07:08:09Z","x"]}`, `{"lt":["2024-05-06T07:08:09Z"]}`, []string{"lt: datetime_parsing"}},
		{`{"lm":[{"id":"x"},null,7]}`, `{"lm":[{"id":"x"}]}`, []string{"lm.below: missing", "lm: dict_type"}},
		{`{"lm":[{"id":"x","below":{"id":"y","below":{}}}]}`, `{"lm":[{"id":"x","below":{"id":"y","below":{}}}]}`, []string{"lm.below.below.id: missing", "lm.below.below.below: missing"}},
		{`{"lm":[{"id":5,"below":null}]}`, `{"lm":[{}]}`, []string{"lm.id: string_type", "lm.below: null"}},
		{`{"mm":{"a":{"id":"x","below":[]},"b":1}}`, `{"mm":{"a":{"id":"x"}}}`, []string{"mm.*.below: dict_type", "mm.*: dict_type"}},
		{`{"mi":{"a":1.5,"b":2}}`, `{"mi":{"b":"2"}}`, []string{"mi.*: int_type"}},
		{`{"i32":2147483648,"u32":-1,"fl":1e39,"by":"%"}`, `{}`, []string{"i32: int_parsing_size", "u32: int_parsing_size", "fl: finite_number", "by: bytes_invalid_encoding"}},
		{`{"hidden":"x","s":"y"}`, `{"s":"y"}`, []string{"hidden: unknown_field"}},
		// A Struct goes without the value; a list keeps its place.
		{`{"st":{"a":1,"b":9007199254740993},"s":"x"}`, `{"s":"x","st":{"a":1}}`, []string{"st.*: int_not_exact"}},
		{`{"st":{"a":[{"b":1e999,"c":2}]},"s":"x"}`, `{"s":"x","st":{"a":[{"c":2}]}}`, []string{"st.*.*.*: finite_number"}},
		{`{"st":{"a":[1e999,1]},"lv":[1e999,1]}`, `{"st":{"a":[null,1]},"lv":[null,1]}`, []string{"st.*.*: finite_number", "lv.*: finite_number"}},
		{`{"st":{"\udc00":1,"a":1}}`, `{"st":{"a":1}}`, []string{"st: string_unicode"}},
		{`{"st":{"a":1,"a":1e999}}`, `{"st":{"a":1}}`, []string{"st: duplicate_key", "st.*: finite_number"}},
		{`{"va":["\ud800"]}`, `{"va":[null]}`, []string{"va.*: string_unicode"}},
		{`{"va":9007199254740993}`, `{}`, []string{"va: int_not_exact"}},
		{`{"lva":[1,["\ud800"],2]}`, `{"lva":[1,[null],2]}`, []string{"lva.*: string_unicode"}},
		{`{"lv":{},"st":[]}`, `{}`, []string{"lv: list_type", "st: dict_type"}},
		// Of two values of one key, the last that fits.
		{`{"s":"a","s":"b"}`, `{"s":"b"}`, []string{"s: duplicate_key"}},
		{`{"s":"a","s":null}`, `{"s":"a"}`, []string{"s: duplicate_key"}},
		{`{"s":"a","s":5}`, `{"s":"a"}`, []string{"s: duplicate_key", "s: string_type"}},
		{`{"ls":["a"],"ls":["b"]}`, `{"ls":["b"]}`, []string{"ls: duplicate_key"}},
		{`{"ls":["a"],"ls":{}}`, `{"ls":["a"]}`, []string{"ls: duplicate_key", "ls: list_type"}},
		{`{"ms":{"a":"1"},"ms":{"b":"2"}}`, `{"ms":{"b":"2"}}`, []string{"ms: duplicate_key"}},
		{`{"ms":{"a":"1","a":"2"}}`, `{"ms":{"a":"2"}}`, []string{"ms.*: duplicate_key"}},
		{`{"mm":{"a":{"id":"1","note":"n","below":{"id":"","below":{}}},"a":{"id":"2","below":7}}}`, `{"mm":{"a":{"id":"2"}}}`,
			[]string{"mm.*.below.below.id: missing", "mm.*.below.below.below: missing", "mm.*: duplicate_key", "mm.*.below: dict_type"}},
		{`{"sub":{"s":"a"},"sub":{"b":true}}`, `{"sub":{"b":true}}`, []string{"sub: duplicate_key"}},
		{`{"st":{"a":1,"a":2}}`, `{"st":{"a":2}}`, []string{"st: duplicate_key"}},
		{`{"pick_a":"x","pick_a":"y"}`, `{"pick_a":"y"}`, []string{"pick_a: duplicate_key"}},
		{`{"pick_a":"x","pick_b":{"id":"y","below":{"id":"z","below":1}}}`, `{"pick_b":{"id":"y","below":{"id":"z"}}}`,
			[]string{"pick_b: oneof_set_twice", "pick_b.below.below: dict_type"}},
	} {
		wantResponse(t, c, newMessage("Every"), tt.text, tt.want, tt.drift...)
	}
}

func TestResponse_DuplicateHeaders_TheLastCounts(t *testing.T) {
	rest := missing("name", "base_url", "auth_type", "integration_type", "created_at", "updated_at")
	wantResponse(t, integrationCodec(t), newIntegration(), `{"id":"x","headers":{"a":"1"},"headers":{"b":"2","b":"3"},"id":null}`, `{"id":"x","headers":{"b":"3"}}`,
		append([]string{"headers: duplicate_key", "headers.*: duplicate_key", "id: duplicate_key"}, rest...)...)
}

func TestDrift_IsNamesOnly_BoundedAndNotedOnce(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for _, tt := range []struct{ text, want string }{
		{`{"se cret\n":1}`, "se?cret?"}, // the JSON holds a backslash and an n
		{"{\"caf\xc3\xa9\":1}", "caf??"},
		{`{"\ud800":1}`, "???"},
		{`{"\ud800abcde\\":1}`, "???abcde?"},
		{"{\"\xff\":1}", "?"},
		{`{"":1}`, "?"},
		{`{"a.b: c":1}`, "a?b??c"},
		{`{"` + strings.Repeat("k", 1<<16) + `":1}`, strings.Repeat("k", 64)},
	} {
		wantResponse(t, c, newMessage("Every"), tt.text, `{}`, tt.want+": unknown_field")
	}
	wantResponse(t, c, newMessage("Every"), `{"lm":[{"id":1,"below":1},{"id":2,"below":2}],"zzz":1,"zzz":2}`, `{"lm":[{},{}]}`,
		"lm.id: string_type", "lm.below: dict_type", "zzz: unknown_field")

	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, `"unknown%d":%d,`, i, i)
	}
	drift, err := unmarshalResponse(c, []byte(`{`+many.String()+`"s":"x"}`), newMessage("Every"))
	if err != nil || len(drift) != 32 || drift[31] != "unknown31: unknown_field" {
		t.Errorf("%v %d %q", err, len(drift), drift)
	}
	drift, _ = unmarshalResponse(c, []byte(`{"s":["sesame"],"st":{"sesame":1e999},"ms":{"sesame":1},"mm":{"sesame":1},"e":"sesame","at":"sesame"}`), newMessage("Every"))
	if strings.Contains(strings.Join(drift, " "), "sesame") || len(drift) != 6 {
		t.Errorf("a value or a key of a map in %q", drift)
	}
}

func TestResponse_NotAnObject_IsAnError(t *testing.T) {
	c := integrationCodec(t)
	for _, text := range []string{``, ` `, `null`, `[]`, `[{"id":"x"}]`, `"x"`, `12`, `true`, `<html>`, "\x00"} {
		m := newIntegration()
		drift, err := unmarshalResponse(c, []byte(text), m)
		if err == nil || len(drift) != 0 || plain(t, m) != `{}` {
			t.Errorf("%q: got %v %q", text, err, drift)
		}
	}
}

func TestResponse_BrokenOff_KeepsWhatWasCompleteBefore(t *testing.T) {
	c := integrationCodec(t)
	for n := range len(full) {
		m := new(integrationv1.Integration)
		if _, err := unmarshalResponse(c, []byte(full[:n]), m); err == nil {
			t.Fatalf("%s: no error", full[:n])
		}
		// A field is complete with its value's last byte; "headers" grows.
		whole := completeMembers(full[:n])
		want := new(integrationv1.Integration)
		if _, err := unmarshalResponse(c, []byte(whole), want); err != nil {
			t.Fatalf("%s: %v", whole, err)
		}
		if !proto.Equal(m, want) {
			t.Errorf("%s\nholds %s\n want %s", full[:n], plain(t, m), plain(t, want))
		}
	}
	m := newIntegration()
	if _, err := unmarshalResponse(c, []byte(full+"garbage"), m); err == nil || plain(t, m) != fullPlain {
		t.Errorf("garbage after the response: %v, %s", err, plain(t, m))
	}
}

// completeMembers closes the beginning of an object of strings, literals and one
// object of strings behind its last complete member.
func completeMembers(text string) string {
	end, ends := 0, ""
	stack, inString, isKey := "", false, true
	for i := range len(text) {
		switch c := text[i]; {
		case inString:
			if inString = c != '"'; !inString && !isKey {
				end, ends = i+1, closing(stack)
			}
		case c == '"':
			inString = true
		case c == '{':
			stack += "}"
			isKey = true
			end, ends = i+1, closing(stack)
		case c == '}':
			stack = stack[:len(stack)-1]
			end, ends = i+1, closing(stack)
			isKey = true
		case c == ':':
			isKey = false
		case c == ',':
			isKey = true
		case c == 'e' && (strings.HasSuffix(text[:i+1], "true") || strings.HasSuffix(text[:i+1], "false")):
			end, ends = i+1, closing(stack)
		}
	}
	if end == 0 {
		return `{}`
	}
	return text[:end] + ends
}

func closing(stack string) string {
	b := []byte(stack)
	slices.Reverse(b)
	return string(b)
}

func TestResponse_BrokenOffInOtherKinds_KeepsWhatWasCompleteBefore(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for text, want := range map[string]string{
		`{"i64":12`:                             `{}`, // it may have been 123
		`{"i64":12 `:                            `{"i64":"12"}`,
		`{"i64":12,`:                            `{"i64":"12"}`,
		`{"db":1.5`:                             `{}`,
		`{"b":tru`:                              `{}`,
		`{"b":true`:                             `{"b":true}`,
		`{"s":"abc`:                             `{}`,
		`{"s":"abc\`:                            `{}`,
		`{"s":"a","os"`:                         `{"s":"a"}`,
		`{"ls":["a","b`:                         `{"ls":["a"]}`,
		`{"li":[1,2`:                            `{"li":[1]}`,
		`{"lva":[1,[2`:                          `{"lva":[1]}`,
		`{"sub":{"s":"a","sub":{"b":true`:       `{"sub":{"s":"a","sub":{"b":true}}}`,
		`{"lm":[{"id":"a"},{"id":"b","note":"c`: `{"lm":[{"id":"a"},{"id":"b"}]}`,
		`{"mm":{"k":{"id":"a"`:                  `{"mm":{"k":{"id":"a"}}}`,
		`{"ms":{"a":"b","c`:                     `{"ms":{"a":"b"}}`,
		`{"s":"x","st":{"a":1}`:                 `{"s":"x","st":{"a":1}}`,
		`{"s":"x","st":{"a":1,`:                 `{"s":"x"}`, // half a Struct is another
		`{"s":"x","va":1`:                       `{"s":"x"}`,
		`{"s":"x","zzz":[1,`:                    `{"s":"x"}`,
		`{"at":"2024-05-06T07:08:09`:            `{}`,
	} {
		m := newMessage("Every")
		if _, err := unmarshalResponse(c, []byte(text), m); err == nil || plain(t, m) != want {
			t.Errorf("%s: got %s, %v; want %s", text, plain(t, m), err, want)
		}
	}
}
