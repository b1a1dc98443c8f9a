package digajson_test

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

func wantWritten(t *testing.T, what string, got []byte, err error, want string) {
	t.Helper()
	if err != nil || string(got) != want {
		t.Errorf("%s:\n got %s (%v)\nwant %s", what, got, err, want)
	}
}

func TestWrite_EachKind_RequestHoldsWhatIsSet(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for text, want := range map[string]string{ // protojson to ours
		`{}`:                  `{}`,
		`{"s":"x"}`:           `{"s":"x"}`,
		`{"s":""}`:            `{}`,
		`{"os":""}`:           `{"os":""}`,
		`{"b":false}`:         `{}`,
		`{"ob":false}`:        `{"ob":false}`,
		`{"i32":-5,"oi32":0}`: `{"i32":-5,"oi32":0}`,
		`{"i64":"-9223372036854775808","u64":"18446744073709551615","f64":"1"}`: `{"i64":-9223372036854775808,"u64":18446744073709551615,"f64":1}`,
		`{"s64":"-1","sf64":"2","s32":-3,"sf32":4,"u32":5,"f32":6}`:             `{"s32":-3,"sf32":4,"s64":-1,"sf64":2,"u32":5,"f32":6}`,
		`{"by":"AP8="}`:                     `{"by":"AP8="}`,
		`{"e":"MOOD_VERY_BAD"}`:             `{"e":"VERY_BAD"}`,
		`{"e":"MOOD_OWN"}`:                  `{"e":"own spelling"}`,
		`{"e":0}`:                           `{}`,
		`{"oe":0}`:                          `{}`, // set, to the value that means unset
		`{"oe":1}`:                          `{"oe":"GOOD"}`,
		`{"at":"2024-05-06T07:08:09.500Z"}`: `{"at":"2024-05-06T07:08:09.5Z"}`,
		`{"sub":{}}`:                        `{"sub":{}}`,
		`{"ls":[]}`:                         `{}`,
		`{"ls":["",""]}`:                    `{"ls":["",""]}`,
		`{"ms":{}}`:                         `{}`,
		`{"ms":{"b":"1","a":"2","é":"3","Z":"4","":"5"}}`: `{"ms":{"":"5","Z":"4","a":"2","b":"1","é":"3"}}`,
		`{"mm":{"a":{}},"lm":[{},{"id":"x"}]}`:            `{"lm":[{},{"id":"x"}],"mm":{"a":{}}}`,
		`{"le":[2,3],"me":{"a":1}}`:                       `{"le":["VERY_BAD","own spelling"],"me":{"a":"GOOD"}}`,
		`{"pick_a":""}`:                                   `{"pick_a":""}`,
		`{"pick_b":{}}`:                                   `{"pick_b":{}}`,
		`{"hidden":"x","s":"y"}`:                          `{"s":"y"}`,
	} {
		got, err := c.AppendRequest(nil, fromPlain(t, descriptor("Every"), text))
		wantWritten(t, text, got, err, want)
	}
}

// with returns an Every with one field set.
func with(name string, v any) proto.Message {
	m := newMessage("Every")
	m.Set(m.Descriptor().Fields().ByName(protoreflect.Name(name)), protoreflect.ValueOf(v))
	return m
}

func TestWrite_JSONInStructs_IsCompactWithSortedKeys(t *testing.T) {
	c := compile(t, descriptor("Every"))
	v, err := structpb.NewValue(map[string]any{"z": 1, "a": nil, "m": []any{true, "x", map[string]any{}, []any{}}, "": -1.5})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"":-1.5,"a":null,"m":[true,"x",{},[]],"z":1}`
	for _, tt := range []struct {
		m    proto.Message
		want string
	}{
		{with("st", (&structpb.Struct{}).ProtoReflect()), `{"st":{}}`},
		{with("st", v.GetStructValue().ProtoReflect()), `{"st":` + want + `}`},
		{with("va", v.ProtoReflect()), `{"va":` + want + `}`},
		{with("lv", (&structpb.ListValue{}).ProtoReflect()), `{"lv":[]}`},
		{with("lv", (&structpb.ListValue{Values: []*structpb.Value{v, structpb.NewNullValue()}}).ProtoReflect()), `{"lv":[` + want + `,null]}`},
	} {
		got, err := c.AppendRequest(nil, tt.m)
		wantWritten(t, tt.want, got, err, tt.want)
		wantRead(t, c, newEvery, tt.want, plain(t, tt.m))
	}
	// A null that was set is written; reading it, null is unset.
	got, err := c.AppendRequest(nil, with("va", structpb.NewNullValue().ProtoReflect()))
	wantWritten(t, "null", got, err, `{"va":null}`)
	wantRead(t, c, newEvery, `{"va":null}`, `{}`)
}

func TestWrite_UnsetFields_ResponseHasTheEmptyValueOfTheirKind(t *testing.T) {
	c := compile(t, descriptor("Every"))
	got, err := c.AppendResponse(nil, newMessage("Every"))
	wantWritten(t, "empty", got, err, `{"s":null,"os":null,"b":false,"ob":null,`+
		`"i32":0,"s32":0,"sf32":0,"i64":0,"s64":0,"sf64":0,"u32":0,"f32":0,"u64":0,"f64":0,"oi32":null,`+
		`"fl":0,"db":0,"by":null,"e":null,"oe":null,"at":null,"st":null,"va":null,"lv":null,"sub":null,`+
		`"ls":[],"li":[],"le":[],"lm":[],"lt":[],"lva":[],"ms":{},"mi":{},"mm":{},"me":{},"mva":{},"pick_a":null,"pick_b":null}`)

	got, err = integrationCodec(t).AppendResponse([]byte("x"), &integrationv1.Integration{})
	wantWritten(t, "Integration", got, err, `x{"id":null,"name":null,"base_url":null,"auth_type":null,"integration_type":null,`+
		`"created_at":null,"updated_at":null,"description":null,"auth_key":null,"headers":{},"requires_setup":false,"source_integration_template_id":null}`)
}

func TestWrite_CopyTemplateFields_AbsentEmptyValue(t *testing.T) {
	c := compile(t, (&integrationv1.CopyTemplateRequest{}).ProtoReflect().Descriptor(), digajson.Exclude("template_id"))
	vars := func(m map[string]any) *structpb.Struct {
		s, err := structpb.NewStruct(m)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, tt := range []struct {
		m    *integrationv1.CopyTemplateRequest
		want string
	}{
		{&integrationv1.CopyTemplateRequest{}, `{}`},
		{nil, `{}`},
		{&integrationv1.CopyTemplateRequest{TemplateId: "t", RequestId: "r"}, `{}`},
		{&integrationv1.CopyTemplateRequest{Name: proto.String("")}, `{"name":""}`},
		{&integrationv1.CopyTemplateRequest{BaseUrl: proto.String("u"), ApiKey: proto.String("k"), Name: proto.String("n")}, `{"name":"n","api_key":"k","base_url":"u"}`},
		{&integrationv1.CopyTemplateRequest{Variables: &structpb.Struct{}}, `{"variables":{}}`},
		{&integrationv1.CopyTemplateRequest{Variables: vars(map[string]any{"b": 1, "a": "<&>", "c": nil})}, `{"variables":{"a":"<&>","b":1,"c":null}}`},
	} {
		got, err := c.AppendRequest(nil, tt.m)
		wantWritten(t, tt.want, got, err, tt.want)
		back := new(integrationv1.CopyTemplateRequest)
		if err := c.UnmarshalRequest(got, back); err != nil {
			t.Errorf("%s: %v", got, err)
		}
		want := new(integrationv1.CopyTemplateRequest)
		if tt.m != nil {
			want = proto.CloneOf(tt.m)
		}
		want.TemplateId, want.RequestId = "", ""
		if !proto.Equal(back, want) {
			t.Errorf("%s comes back as %v", got, back)
		}
	}
}

func TestWrite_WhatHasNoForm_IsRefusedAndNothingIsAppended(t *testing.T) {
	c := compile(t, descriptor("Every"))
	enumList := newMessage("Every")
	enumList.Mutable(enumList.Descriptor().Fields().ByName("le")).List().Append(protoreflect.ValueOfEnum(0))
	st := func(v *structpb.Value) proto.Message {
		return with("st", (&structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewNullValue(), v}})}}).ProtoReflect())
	}
	for _, tt := range []struct {
		m           proto.Message
		field, kind string
		response    string // what a response has there instead, if it has
	}{
		{with("s", "\xff"), "s", "string_unicode", ""},
		{with("db", math.NaN()), "db", "finite_number", ""},
		{with("db", math.Inf(-1)), "db", "finite_number", ""},
		{with("fl", float32(math.Inf(1))), "fl", "finite_number", ""},
		{with("e", protoreflect.EnumNumber(99)), "e", "enum", `"e":null`},
		{with("oe", protoreflect.EnumNumber(-1)), "oe", "enum", `"oe":null`},
		{enumList, "le[0]", "enum", `"le":[null]`},
		{with("at", (&timestamppb.Timestamp{Seconds: 253402300800}).ProtoReflect()), "at", "datetime_parsing", ""},
		{with("at", (&timestamppb.Timestamp{Nanos: -1}).ProtoReflect()), "at", "datetime_parsing", ""},
		{with("at", (&timestamppb.Timestamp{Nanos: 1_000_000_000}).ProtoReflect()), "at", "datetime_parsing", ""},
		{with("at", (&timestamppb.Timestamp{Seconds: -62135596801}).ProtoReflect()), "at", "datetime_parsing", ""},
		{st(nil), "st.a[1]", "none_required", ""},
		{st(&structpb.Value{}), "st.a[1]", "none_required", ""},
		{st(structpb.NewNumberValue(math.NaN())), "st.a[1]", "finite_number", ""},
		{st(structpb.NewStringValue("\xc0")), "st.a[1]", "string_unicode", ""},
		{with("va", (&structpb.Value{}).ProtoReflect()), "va", "none_required", ""},
	} {
		got, err := c.AppendRequest([]byte("before"), tt.m)
		wantError(t, tt.field, err, tt.field, tt.kind)
		if string(got) != "before" {
			t.Errorf("%s: left %q", tt.field, got)
		}
		got, err = c.AppendResponse([]byte("before"), tt.m)
		if tt.response != "" {
			if err != nil || !strings.Contains(string(got), tt.response) {
				t.Errorf("%s: response %s, %v; want %s", tt.field, got, err, tt.response)
			}
			continue
		}
		wantError(t, tt.field, err, tt.field, tt.kind)
		if string(got) != "before" {
			t.Errorf("%s: response left %q", tt.field, got)
		}
	}
}

func TestWrite_InvalidKey_NamesTheMap(t *testing.T) {
	c := compile(t, descriptor("Every"))
	m := newMessage("Every")
	fd := m.Descriptor().Fields().ByName("ms")
	m.Mutable(fd).Map().Set(protoreflect.ValueOfString("\xff").MapKey(), protoreflect.ValueOfString("v"))
	_, err := c.AppendRequest(nil, m)
	wantError(t, "map key", err, "ms", "string_unicode")

	m = newMessage("Every")
	m.Mutable(m.Descriptor().Fields().ByName("mm")).Map().Mutable(protoreflect.ValueOfString("k").MapKey()).Message().
		Set(descriptor("Leaf").Fields().ByName("id"), protoreflect.ValueOfString("\xff"))
	_, err = c.AppendRequest(nil, m)
	wantError(t, "map value", err, "mm.k.id", "string_unicode")
}
