// Package contracttest builds small contracts for tests: services over messages
// that have every shape of field.
package contracttest

import (
	"fmt"
	"strings"
	"testing"

	_ "google.golang.org/genproto/googleapis/api/annotations" // google.api.http
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	_ "google.golang.org/protobuf/types/known/anypb" // what the shapes import

	_ "github.com/digate/digate/gen/digate/annotations/v1" // digate's own options
)

// shapes are the messages, all of package t, and the service.
const shapes = `
name: "shapes.proto" package: "t" syntax: "proto3" dependency: "google/protobuf/any.proto"
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
  field { name: "exact" number: 7 type: TYPE_BOOL label: LABEL_OPTIONAL proto3_optional: true oneof_index: 2 }
  field { name: "share" number: 8 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "count" number: 9 type: TYPE_UINT64 label: LABEL_OPTIONAL }
  oneof_decl { name: "_after" } oneof_decl { name: "_order" } oneof_decl { name: "_exact" } }
message_type { name: "Full"
  field { name: "id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "inner" number: 2 type: TYPE_MESSAGE type_name: ".t.Inner" label: LABEL_OPTIONAL }
  field { name: "hidden" number: 3 type: TYPE_MESSAGE type_name: ".t.Inner" label: LABEL_OPTIONAL options { [digate.annotations.v1.field] { facade_only: true } } }
  field { name: "limit" number: 4 type: TYPE_INT32 label: LABEL_OPTIONAL } }
message_type { name: "Flat"
  field { name: "a" number: 1 type: TYPE_MESSAGE type_name: ".t.Inner" label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "b" number: 2 type: TYPE_MESSAGE type_name: ".t.Inner" label: LABEL_OPTIONAL oneof_index: 0 }
  oneof_decl { name: "kind" options { [digate.annotations.v1.oneof] { flatten: "type" } } } }
message_type { name: "HalfFlat"
  field { name: "a" number: 1 type: TYPE_MESSAGE type_name: ".t.Inner" label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "b" number: 2 type: TYPE_MESSAGE type_name: ".t.NoID" label: LABEL_OPTIONAL oneof_index: 0 }
  oneof_decl { name: "kind" options { [digate.annotations.v1.oneof] { flatten: "type" } } } }
message_type { name: "NoID"
  field { name: "tags" number: 1 type: TYPE_STRING label: LABEL_REPEATED } }
message_type { name: "Lists"
  field { name: "id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "tags" number: 2 type: TYPE_STRING label: LABEL_REPEATED }
  field { name: "inners" number: 3 type: TYPE_MESSAGE type_name: ".t.Inner" label: LABEL_REPEATED } }
message_type { name: "Odd"
  field { name: "any" number: 1 type: TYPE_MESSAGE type_name: ".google.protobuf.Any" label: LABEL_OPTIONAL } }
message_type { name: "Keyed"
  field { name: "id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "key" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL options { [digate.annotations.v1.field] { facade_only: true idempotency_key: true } } } }
message_type { name: "SentKey"
  field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL options { [digate.annotations.v1.field] { idempotency_key: true } } } }
message_type { name: "NumberKey"
  field { name: "key" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL options { [digate.annotations.v1.field] { facade_only: true idempotency_key: true } } } }
message_type { name: "TwoKeys"
  field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL options { [digate.annotations.v1.field] { facade_only: true idempotency_key: true } } }
  field { name: "other" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL options { [digate.annotations.v1.field] { facade_only: true idempotency_key: true } } } }
service { name: "S" %s }`

// Service builds a service of methods, each of which [Method] describes. They are
// named Do, Do2, Do3 and so on.
func Service(t testing.TB, methods ...string) protoreflect.ServiceDescriptor {
	t.Helper()
	var text strings.Builder
	for i, m := range methods {
		name := "Do"
		if i > 0 {
			name = fmt.Sprintf("Do%d", i+1)
		}
		fmt.Fprintf(&text, "method { name: %q %s }\n", name, m)
	}
	fdp := new(descriptorpb.FileDescriptorProto)
	if err := prototext.Unmarshal(fmt.Appendf(nil, shapes, text.String()), fdp); err != nil {
		t.Fatal(err)
	}
	fd, err := protodesc.NewFile(fdp, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return fd.Services().Get(0)
}

// Method returns a method's descriptor as text: its request and response, which
// are names of messages, and its google.api.http rule.
func Method(request, response, rule string) string {
	return MethodWith(request, response, rule, "")
}

// MethodWith returns what Method does, for a method with options of digate's own.
func MethodWith(request, response, rule, options string) string {
	return fmt.Sprintf(`input_type: ".t.%s" output_type: ".t.%s" options { [google.api.http] { %s } [digate.annotations.v1.method] { %s } }`,
		request, response, rule, options)
}
