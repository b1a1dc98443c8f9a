package upstream

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/digate/digate/server/contract"
)

// shapes are the messages of the contracts that the tests build.
const shapes = `
name: "shapes.proto" package: "t" syntax: "proto3"
enum_type { name: "Order"
  value { name: "ORDER_UNSPECIFIED" number: 0 } value { name: "ORDER_ASC" number: 1 } value { name: "ORDER_DESC" number: 2 } }
message_type { name: "Empty" }
message_type { name: "Inner"
  field { name: "id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "key" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL options { debug_redact: true } } }
message_type { name: "Plain"
  field { name: "id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "parent" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "after" number: 3 type: TYPE_STRING label: LABEL_OPTIONAL proto3_optional: true oneof_index: 0 }
  field { name: "limit" number: 4 type: TYPE_INT32 label: LABEL_OPTIONAL }
  field { name: "order" number: 5 type: TYPE_ENUM type_name: ".t.Order" label: LABEL_OPTIONAL proto3_optional: true oneof_index: 1 }
  field { name: "request_id" number: 6 type: TYPE_STRING label: LABEL_OPTIONAL options { [digate.annotations.v1.field] { facade_only: true } } }
  oneof_decl { name: "_after" } oneof_decl { name: "_order" } }
message_type { name: "Full"
  field { name: "id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "inner" number: 2 type: TYPE_MESSAGE type_name: ".t.Inner" label: LABEL_OPTIONAL }
  field { name: "hidden" number: 3 type: TYPE_MESSAGE type_name: ".t.Inner" label: LABEL_OPTIONAL options { [digate.annotations.v1.field] { facade_only: true } } } }
message_type { name: "Flat"
  field { name: "a" number: 1 type: TYPE_MESSAGE type_name: ".t.Inner" label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "b" number: 2 type: TYPE_MESSAGE type_name: ".t.Inner" label: LABEL_OPTIONAL oneof_index: 0 }
  oneof_decl { name: "kind" options { [digate.annotations.v1.oneof] { flatten: "type" } } } }
message_type { name: "NoID"
  field { name: "tags" number: 1 type: TYPE_STRING label: LABEL_REPEATED } }
message_type { name: "Lists"
  field { name: "id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "tags" number: 2 type: TYPE_STRING label: LABEL_REPEATED }
  field { name: "inners" number: 3 type: TYPE_MESSAGE type_name: ".t.Inner" label: LABEL_REPEATED } }
service { name: "S" %s }`

// serviceOf builds a service of one method, Do, from the text of its
// descriptor: input, output and options.
func serviceOf(t *testing.T, method string) protoreflect.ServiceDescriptor {
	t.Helper()
	fdp := new(descriptorpb.FileDescriptorProto)
	if err := prototext.Unmarshal(fmt.Appendf(nil, shapes, `method { name: "Do" `+method+` }`), fdp); err != nil {
		t.Fatal(err)
	}
	fd, err := protodesc.NewFile(fdp, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return fd.Services().Get(0)
}

// do is a method of serviceOf.
func do(in, out, rule string) string {
	return fmt.Sprintf(`input_type: ".t.%s" output_type: ".t.%s" options { [google.api.http] { %s } }`, in, out, rule)
}

// loaded returns the contract of a service that has no rule to refuse.
func loaded(t *testing.T, services ...protoreflect.ServiceDescriptor) *contract.Contract {
	t.Helper()
	c, err := contract.Load(services...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompile_FacadeOnlyMethod_HasNoRule(t *testing.T) {
	sd := serviceOf(t, `input_type: ".t.Plain" output_type: ".t.Empty" options { [digate.annotations.v1.method] { facade_only: true } }`)
	if rules := compile(loaded(t, sd)); len(rules) != 0 {
		t.Errorf("got %v", rules)
	}
}

func TestNew_URLThatIsNoBase_IsAnErrorThatDoesNotQuoteIt(t *testing.T) {
	for _, url := range []string{"", "api.diga.io", "ftp://hunter2", "https://", "https://u:hunter2@h", "https://h?k=hunter2", "https://h#hunter2", "http://hunter2\x7f"} {
		_, err := New(testConfig(url), new(contract.Contract))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
