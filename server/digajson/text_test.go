package digajson_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

func TestEnumText_IsTheSpellingOfTheDialect(t *testing.T) {
	for e, want := range map[protoreflect.Enum]string{
		integrationv1.AuthType_AUTH_TYPE_UNSPECIFIED:       "",
		integrationv1.AuthType_AUTH_TYPE_API_KEY:           "API_KEY",
		integrationv1.AuthType(99):                         "",
		integrationv1.AuthType(-1):                         "",
		integrationv1.IntegrationType_INTEGRATION_TYPE_MCP: "MCP",
	} {
		if got := digajson.EnumText(e); got != want {
			t.Errorf("%v: got %q, want %q", e, got, want)
		}
	}
}

func TestEnumPrefix_OfAnyTypeName_IsRemoved(t *testing.T) {
	for name, value := range map[string]string{
		"AuthType": "AUTH_TYPE_X", "HTTPMethod": "HTTP_METHOD_X", "Mcp2Kind": "MCP2_KIND_X", "URL": "URL_X", "AnAPIKey": "AN_API_KEY_X", "E": "E_X", "V2": "V2_X",
	} {
		e := enum(name, "ZERO", value)
		m := message("M")
		f := field("e", 1, ".t.Mood")
		f.TypeName = proto.String(".t." + name)
		m.Field = append(m.Field, f)
		md := buildFile([]*descriptorpb.DescriptorProto{m}, e).Messages().Get(0)
		got, err := digajson.AppendText(nil, md.Fields().Get(0), protoreflect.ValueOfEnum(1))
		wantWritten(t, name, got, err, "X")
	}
}

func TestAppendText_IsTheValueForAURL(t *testing.T) {
	fields := descriptor("Every").Fields()
	for _, tt := range []struct {
		name  string
		value any
		want  string
	}{
		{"s", "a b/é&?", "a b/é&?"}, {"s", "", ""}, {"os", "x", "x"}, {"b", true, "true"}, {"ob", false, "false"},
		{"i32", int32(-5), "-5"}, {"sf64", int64(-9223372036854775808), "-9223372036854775808"}, {"u64", uint64(18446744073709551615), "18446744073709551615"}, {"f32", uint32(7), "7"}, {"s32", int32(0), "0"},
		{"db", 1.5, "1.5"}, {"db", 3.0, "3"}, {"fl", float32(0.1), "0.1"},
		{"e", protoreflect.EnumNumber(2), "VERY_BAD"}, {"oe", protoreflect.EnumNumber(3), "own spelling"}, {"pick_a", "x", "x"},
	} {
		fd := fields.ByName(protoreflect.Name(tt.name))
		if !digajson.HasText(fd) {
			t.Errorf("%s: has no text", tt.name)
		}
		got, err := digajson.AppendText([]byte("k="), fd, protoreflect.ValueOf(tt.value))
		wantWritten(t, tt.name, got, err, "k="+tt.want)
	}
	for _, n := range []protoreflect.EnumNumber{0, 99, -1} {
		_, err := digajson.AppendText(nil, fields.ByName("e"), protoreflect.ValueOfEnum(n))
		wantError(t, "enum", err, "e", "enum")
	}
}

func TestHasText_OnlyASingleScalar(t *testing.T) {
	fields := descriptor("Every").Fields()
	for _, name := range []protoreflect.Name{"by", "at", "st", "va", "lv", "sub", "ls", "li", "le", "lm", "ms", "mi", "mm", "pick_b"} {
		if digajson.HasText(fields.ByName(name)) {
			t.Errorf("%s: has text", name)
		}
	}
}
