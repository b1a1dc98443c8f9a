package digajson_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
	"github.com/digate/digate/server/digajson"
)

func TestCompile_WhatHasNoForm_IsAnError(t *testing.T) {
	one := func(m *descriptorpb.DescriptorProto, more ...*descriptorpb.DescriptorProto) protoreflect.MessageDescriptor {
		return buildFile(append([]*descriptorpb.DescriptorProto{m}, more...), enum("Mood", "MOOD_UNSPECIFIED", "MOOD_A")).Messages().Get(0)
	}
	withEnum := func(values ...string) protoreflect.MessageDescriptor {
		return buildFile([]*descriptorpb.DescriptorProto{message("M", ".t.Mood e")}, enum("Mood", values...)).Messages().Get(0)
	}
	flat := func(fields ...string) *descriptorpb.DescriptorProto {
		m := message("M", fields...)
		flatten(m, "type")
		return m
	}
	intKeys := message("M", "map string by_key")
	intKeys.NestedType[0].Field[0] = field("key", 1, "int32")
	wide := message("M")
	for range 129 {
		f := field("f"+strings.Repeat("x", len(wide.Field)), int32(len(wide.Field)+1), "string")
		wide.Field = append(wide.Field, f)
	}
	inner := message("Inner", "oneof .t.V a")
	flatten(inner, "kind")
	jsonOf := func(of string, fields ...string) protoreflect.MessageDescriptor {
		m := message("M", fields...)
		m.Field[0].Options = &descriptorpb.FieldOptions{}
		proto.SetExtension(m.Field[0].Options, annotationsv1.E_Field, &annotationsv1.FieldRules{JsonOf: of})
		return one(m)
	}
	facadeJSONOf := func(of string, fields ...string) protoreflect.MessageDescriptor {
		m := message("M", fields...)
		proto.SetExtension(m.Field[0].Options, annotationsv1.E_Field, &annotationsv1.FieldRules{FacadeOnly: true, JsonOf: of})
		return one(m)
	}
	for name, tt := range map[string]struct {
		md   protoreflect.MessageDescriptor
		opts []digajson.Option
		want string
	}{
		"a duration":                     {one(message("M", "google.protobuf.Duration d")), nil, "t.M.d"},
		"an Empty field":                 {one(message("M", "google.protobuf.Empty d")), nil, "t.M.d"},
		"a mask that is for Diga":        {one(message("M", "google.protobuf.FieldMask update_mask")), nil, "t.M.update_mask"},
		"deep inside":                    {one(message("M", ".t.V v"), message("V", "repeated google.protobuf.Duration d")), nil, "t.V.d"},
		"a map of integers":              {one(intKeys), nil, "t.M.by_key"},
		"a map of durations":             {one(message("M", "map google.protobuf.Duration d")), nil, "t.M.d"},
		"too many fields":                {one(wide), nil, "more than 128"},
		"one spelling twice":             {withEnum("MOOD_UNSPECIFIED", "MOOD_A", "MOOD_B=A"), nil, "MOOD_B"},
		"a zero with a spelling":         {withEnum("MOOD_OFF=off", "MOOD_ON=on"), nil, "MOOD_OFF"},
		"flat with another field":        {one(flat("oneof .t.V a", "string id"), message("V")), nil, "t.M"},
		"flat with a scalar":             {one(flat("oneof string a")), nil, "t.M.a"},
		"flat in flat":                   {one(flat("oneof .t.Inner a"), inner, message("V")), nil, "t.M.a"},
		"flat over a field of that name": {one(flat("oneof .t.V a"), message("V", "string type")), nil, "t.V"},
		"flat with what has no form":     {one(flat("oneof .t.V a"), message("V", "google.protobuf.Duration d")), nil, "t.V.d"},
		"the JSON of nothing":            {jsonOf("b", "string a"), nil, "t.M.a"},
		"the JSON of a text":             {jsonOf("b", "string a", "string b"), nil, "t.M.a"},
		"JSON that Diga would get":       {jsonOf("b", "string a", "google.protobuf.Struct b"), nil, "facade_only"},
		"JSON that is always set":        {facadeJSONOf("b", "facade string a", "google.protobuf.Struct b"), nil, "presence"},
		"excluding nothing":              {one(message("M", "string a")), []digajson.Option{digajson.Exclude("a", "b")}, `"b"`},
		"a Struct as the whole":          {(&structpb.Struct{}).ProtoReflect().Descriptor(), nil, "google.protobuf.Struct"},
	} {
		if _, err := digajson.Compile(tt.md, tt.opts...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error that names %s", name, err, tt.want)
		}
	}
}

func TestCompile_WhatIsLeftOut_NeedsNoForm(t *testing.T) {
	md := buildFile([]*descriptorpb.DescriptorProto{message("M", "facade google.protobuf.Duration hidden", "google.protobuf.Duration d", "string s")}).Messages().Get(0)
	c := compile(t, md, digajson.Exclude("d"))
	got, err := c.AppendResponse(nil, dynamicpb.NewMessage(md))
	wantWritten(t, "M", got, err, `{"s":null}`)
}

func TestCompile_EmptyMessage_IsAnEmptyObject(t *testing.T) {
	c := compile(t, (&emptypb.Empty{}).ProtoReflect().Descriptor())
	if err := c.UnmarshalRequest([]byte(`{"a":1}`), &emptypb.Empty{}); err != nil {
		t.Error(err)
	}
	got, err := c.AppendResponse(nil, &emptypb.Empty{})
	wantWritten(t, "Empty", got, err, `{}`)
}

func TestCompile_Twice_IsTheSameCodecUnlessFieldsAreExcluded(t *testing.T) {
	md := (&integrationv1.CopyTemplateRequest{}).ProtoReflect().Descriptor()
	whole := compile(t, md)
	if compile(t, md) != whole {
		t.Error("compiled twice")
	}
	m := &integrationv1.CopyTemplateRequest{TemplateId: "t"}
	got, err := compile(t, md, digajson.Exclude("template_id")).AppendRequest(nil, m)
	wantWritten(t, "excluded", got, err, `{}`)
	got, err = compile(t, md).AppendRequest(nil, m)
	wantWritten(t, "whole", got, err, `{"template_id":"t"}`)
}

// What is excluded is elsewhere in the HTTP request; a message of the same type
// within the body is whole.
func TestCompile_ExcludedField_IsKeptInAMessageOfTheSameTypeBelow(t *testing.T) {
	c := compile(t, descriptor("Leaf"), digajson.Exclude("note"))
	m := newMessage("Leaf")
	const text = `{"id":"a","below":{"id":"b","note":"kept"}}`
	if err := c.UnmarshalRequest([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	got, err := c.AppendRequest(nil, m)
	wantWritten(t, "below", got, err, text)
}

func TestCompile_AliasedEnum_IsWrittenByItsFirstName(t *testing.T) {
	e := enum("Mood", "MOOD_UNSPECIFIED", "MOOD_A", "MOOD_B")
	e.Value[2].Number = proto.Int32(1)
	e.Options = &descriptorpb.EnumOptions{AllowAlias: proto.Bool(true)}
	md := buildFile([]*descriptorpb.DescriptorProto{message("M", ".t.Mood e")}, e).Messages().Get(0)
	c := compile(t, md)
	for _, text := range []string{`{"e":"A"}`, `{"e":"B"}`} {
		m := dynamicpb.NewMessage(md)
		if err := c.UnmarshalRequest([]byte(text), m); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		got, err := c.AppendRequest(nil, m)
		wantWritten(t, text, got, err, `{"e":"A"}`)
	}
}
