package gostruct_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/gostruct"
)

func fieldsOf(m proto.Message) []gostruct.Field {
	return gostruct.Fields(reflect.TypeOf(m), m.ProtoReflect().Descriptor())
}

func TestFields_GeneratedMessage_NamesEachFieldInItsPlace(t *testing.T) {
	t.Parallel()
	m := new(integrationv1.CopyTemplateRequest)
	var names []string
	for _, f := range fieldsOf(m) {
		names = append(names, f.Name)
		sf := reflect.TypeOf(m).Elem().Field(f.Index)
		if f.Type != sf.Type {
			t.Errorf("%s: type %v, want %v", f.Name, f.Type, sf.Type)
		}
		if got := strings.ReplaceAll(f.Name, "_", ""); !strings.EqualFold(got, sf.Name) {
			t.Errorf("%s is found in %s", f.Name, sf.Name)
		}
	}
	var want []string
	for fields := m.ProtoReflect().Descriptor().Fields(); len(want) < fields.Len(); {
		want = append(want, string(fields.Get(len(want)).Name()))
	}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

// The fields of a oneof share one Go field, which has no name.
func TestFields_Oneof_IsOneFieldWithoutName(t *testing.T) {
	t.Parallel()
	got := fieldsOf(new(structpb.Value))
	if len(got) != 1 || got[0].Name != "" {
		t.Errorf("got %+v, want one field without a name", got)
	}
}

func TestFields_MessageThatIsNotAccountedFor_HasNone(t *testing.T) {
	t.Parallel()
	extendable := new(descriptorpb.MessageOptions)
	other := new(integrationv1.Integration)
	for name, got := range map[string][]gostruct.Field{
		"dynamic":            fieldsOf(dynamicpb.NewMessage(other.ProtoReflect().Descriptor())),
		"extendable":         fieldsOf(extendable),
		"another's":          gostruct.Fields(reflect.TypeFor[*structpb.Struct](), other.ProtoReflect().Descriptor()),
		"no protobuf struct": gostruct.Fields(reflect.TypeFor[*struct{ A, B string }](), other.ProtoReflect().Descriptor()),
		"no struct":          gostruct.Fields(reflect.TypeFor[string](), other.ProtoReflect().Descriptor()),
	} {
		if got != nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}
