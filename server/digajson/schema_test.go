package digajson_test

import (
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	_ "google.golang.org/protobuf/types/known/durationpb"
	_ "google.golang.org/protobuf/types/known/emptypb"
	_ "google.golang.org/protobuf/types/known/fieldmaskpb"
	_ "google.golang.org/protobuf/types/known/structpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"

	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
	"github.com/digate/digate/server/digajson"
)

// The schema holds what the dialect has a form for, whether or not the contract
// uses it.
var schema = buildSchema()

func buildSchema() protoreflect.FileDescriptor {
	every := message("Every",
		"string s", "optional string os", "bool b", "optional bool ob",
		"int32 i32", "sint32 s32", "sfixed32 sf32", "int64 i64", "sint64 s64", "sfixed64 sf64",
		"uint32 u32", "fixed32 f32", "uint64 u64", "fixed64 f64", "optional int32 oi32",
		"float fl", "double db", "bytes by", ".t.Mood e", "optional .t.Mood oe",
		"google.protobuf.Timestamp at", "google.protobuf.Struct st", "google.protobuf.Value va", "google.protobuf.ListValue lv",
		".t.Every sub", "repeated string ls", "repeated int32 li", "repeated .t.Mood le", "repeated .t.Leaf lm",
		"repeated google.protobuf.Timestamp lt", "repeated google.protobuf.Value lva",
		"map string ms", "map int64 mi", "map .t.Leaf mm", "map .t.Mood me", "map google.protobuf.Value mva",
		"oneof string pick_a", "oneof .t.Leaf pick_b", "facade string hidden")
	leaf := message("Leaf", "required string id", "string note", "required .t.Leaf below")
	tool := message("Tool", "oneof .t.Http http", "oneof .t.Mcp mcp")
	flatten(tool, "type")
	patch := message("Patch",
		"facade google.protobuf.FieldMask update_mask", "string integration_id", "optional string name", "string title", "bool on",
		"optional bool ob", "int32 n", "double d", "map string headers", "repeated string tags", "google.protobuf.Struct st",
		"optional .t.Mood mood", ".t.Mood plain_mood", ".t.Leaf leaf")
	return buildFile([]*descriptorpb.DescriptorProto{
		every, leaf, tool, patch,
		message("Http", "required string id", "string path", "map string headers"),
		message("Mcp", "string id"),
		message("Page", "repeated .t.Tool data", "bool has_more", ".t.Tool one", "map .t.Tool by_id"),
	}, enum("Mood", "MOOD_UNSPECIFIED", "MOOD_GOOD", "MOOD_VERY_BAD", "MOOD_OWN=own spelling"))
}

func buildFile(messages []*descriptorpb.DescriptorProto, enums ...*descriptorpb.EnumDescriptorProto) protoreflect.FileDescriptor {
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("t.proto"), Package: proto.String("t"), Syntax: proto.String("proto3"),
		Dependency: []string{
			"google/protobuf/struct.proto", "google/protobuf/field_mask.proto", "google/protobuf/timestamp.proto",
			"google/protobuf/duration.proto", "google/protobuf/empty.proto",
		},
		MessageType: messages, EnumType: enums,
	}, protoregistry.GlobalFiles)
	if err != nil {
		panic(err)
	}
	return file
}

// message declares fields as "[label] type name", numbered from 1. The label
// "oneof" puts one into the oneof "pick", "map" makes it a map from strings.
func message(name string, fields ...string) *descriptorpb.DescriptorProto {
	m := &descriptorpb.DescriptorProto{Name: proto.String(name)}
	if strings.Contains(strings.Join(fields, "\n"), "oneof ") {
		m.OneofDecl = []*descriptorpb.OneofDescriptorProto{{Name: proto.String("pick")}}
	}
	for i, decl := range fields {
		words := strings.Fields(decl)
		label := ""
		if len(words) == 3 {
			label, words = words[0], words[1:]
		}
		f := field(words[1], int32(i+1), words[0])
		switch label {
		case "repeated":
			f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		case "optional":
			f.Proto3Optional = proto.Bool(true)
		case "oneof":
			f.OneofIndex = proto.Int32(0)
		case "required":
			f.Options = new(descriptorpb.FieldOptions)
			proto.SetExtension(f.Options, annotations.E_FieldBehavior, []annotations.FieldBehavior{annotations.FieldBehavior_REQUIRED})
		case "facade":
			f.Options = new(descriptorpb.FieldOptions)
			proto.SetExtension(f.Options, annotationsv1.E_Field, &annotationsv1.FieldRules{FacadeOnly: true})
		case "map":
			entry := message(camel(words[1])+"Entry", "string key", words[0]+" value")
			entry.Options = &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)}
			m.NestedType = append(m.NestedType, entry)
			f = field(words[1], int32(i+1), ".t."+name+"."+entry.GetName())
			f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}
		m.Field = append(m.Field, f)
	}
	for _, f := range m.Field {
		if f.GetProto3Optional() {
			f.OneofIndex = proto.Int32(int32(len(m.OneofDecl)))
			m.OneofDecl = append(m.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: proto.String("_" + f.GetName())})
		}
	}
	return m
}

func camel(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "_") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

func field(name string, number int32, kind string) *descriptorpb.FieldDescriptorProto {
	f := &descriptorpb.FieldDescriptorProto{
		Name: proto.String(name), Number: proto.Int32(number), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
	switch n, scalar := descriptorpb.FieldDescriptorProto_Type_value["TYPE_"+strings.ToUpper(kind)]; {
	case scalar:
		f.Type = descriptorpb.FieldDescriptorProto_Type(n).Enum()
	case strings.HasSuffix(kind, "Mood"):
		f.Type, f.TypeName = descriptorpb.FieldDescriptorProto_TYPE_ENUM.Enum(), proto.String(kind)
	default:
		f.Type, f.TypeName = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), proto.String("."+strings.TrimPrefix(kind, "."))
	}
	return f
}

// enum declares values as "NAME" or "NAME=json_value", numbered from 0.
func enum(name string, values ...string) *descriptorpb.EnumDescriptorProto {
	e := &descriptorpb.EnumDescriptorProto{Name: proto.String(name)}
	for i, decl := range values {
		value, own, _ := strings.Cut(decl, "=")
		v := &descriptorpb.EnumValueDescriptorProto{Name: proto.String(value), Number: proto.Int32(int32(i))}
		if own != "" {
			v.Options = new(descriptorpb.EnumValueOptions)
			proto.SetExtension(v.Options, annotationsv1.E_EnumValue, &annotationsv1.EnumValueRules{JsonValue: own})
		}
		e.Value = append(e.Value, v)
	}
	return e
}

func flatten(m *descriptorpb.DescriptorProto, discriminator string) {
	m.OneofDecl[0].Options = new(descriptorpb.OneofOptions)
	proto.SetExtension(m.OneofDecl[0].Options, annotationsv1.E_Oneof, &annotationsv1.OneofRules{Flatten: discriminator})
}

func descriptor(name string) protoreflect.MessageDescriptor {
	return schema.Messages().ByName(protoreflect.Name(name))
}

func newMessage(name string) *dynamicpb.Message { return dynamicpb.NewMessage(descriptor(name)) }

func compile(t testing.TB, md protoreflect.MessageDescriptor, opts ...digajson.Option) *digajson.Codec {
	t.Helper()
	c, err := digajson.Compile(md, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
