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

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
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

// contract builds a service of one method, Do, from the text of its
// descriptor: input, output and options.
func contract(t *testing.T, method string) protoreflect.ServiceDescriptor {
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

// do is a method of contract.
func do(in, out, rule string) string {
	return fmt.Sprintf(`input_type: ".t.%s" output_type: ".t.%s" options { [google.api.http] { %s } }`, in, out, rule)
}

func TestCompile_Contract_IsTheVendorsRoute(t *testing.T) {
	rules, err := compile(integrationv1.File_diga_integration_v1_integration_service_proto.Services().Get(0))
	if err != nil {
		t.Fatal(err)
	}
	r := rules[copyTemplate]
	if r == nil || r.verb != "POST" || !r.write || r.body == nil || r.answer == nil || !r.hasID || r.answerField == nil || len(r.query) > 0 {
		t.Errorf("got %+v", r)
	}
}

func TestCompile_FacadeOnlyMethod_HasNoRule(t *testing.T) {
	rules, err := compile(contract(t, `input_type: ".t.Plain" output_type: ".t.Empty" options { [digate.annotations.v1.method] { facade_only: true } }`))
	if err != nil || len(rules) != 0 {
		t.Errorf("got %v, %v", rules, err)
	}
}

func TestCompile_Verbs_SayWhetherTheyWrite(t *testing.T) {
	for rule, want := range map[string]bool{
		`get: "/a"`: false, `custom { kind: "HEAD" path: "/a" }`: false,
		`put: "/a"`: true, `post: "/a"`: true, `patch: "/a"`: true, `delete: "/a"`: true, `custom { kind: "PURGE" path: "/a" }`: true,
	} {
		rules, err := compile(contract(t, do("Plain", "Empty", rule)))
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		r := rules["/t.S/Do"]
		if r.write != want || !strings.Contains(strings.ToUpper(rule), r.verb) {
			t.Errorf("%s: verb %s, write %v", rule, r.verb, r.write)
		}
	}
}

func TestCompile_WhatItCannotFollow_IsAnErrorThatNamesIt(t *testing.T) {
	tests := []struct{ method, want string }{
		{`input_type: ".t.Plain" output_type: ".t.Empty"`, "no google.api.http rule"},
		{do("Plain", "Empty", ``), `verb ""`},
		{do("Plain", "Empty", `custom { kind: "*" path: "/a" }`), `verb "*"`},
		{do("Plain", "Empty", `custom { kind: "A B" path: "/a" }`), `verb "A B"`},
		{do("Plain", "Empty", `get: "/a" additional_bindings { get: "/b" }`), "additional bindings"},
		{do("Plain", "Empty", `get: "/a"`) + ` client_streaming: true`, "stream"},
		{do("Plain", "Empty", `get: "/a"`) + ` server_streaming: true`, "stream"},
		{do("Plain", "Empty", `get: "a"`), `"a" does not begin with a slash`},
		{do("Plain", "Empty", `get: "/a//b"`), `segment ""`},
		{do("Plain", "Empty", `get: "/a/"`), `segment ""`},
		{do("Plain", "Empty", `get: "/a/../b"`), `segment ".."`},
		{do("Plain", "Empty", `get: "/a/*"`), `segment "*"`},
		{do("Plain", "Empty", `get: "/a/**"`), `segment "**"`},
		{do("Plain", "Empty", `get: "/a b"`), `segment "a b"`},
		{do("Plain", "Empty", `get: "/a%2Fb"`), `segment "a%2Fb"`},
		{do("Plain", "Empty", `get: "/x{id}"`), `segment "x{id}"`},
		{do("Plain", "Empty", `get: "/{id"`), `segment "{id"`},
		{do("Plain", "Empty", `get: "/{id=a/*}"`), `segment "{id=a"`},
		{do("Plain", "Empty", `get: "/{id=**}"`), `segment "{id=**}"`},
		{do("Plain", "Empty", `get: "/{id}{parent}"`), `segment "{id}{parent}"`},
		{do("Plain", "Empty", `get: "/{id}."`), `segment "{id}."`},
		{do("Plain", "Empty", `get: "/{id}:"`), `segment "{id}:"`},
		{do("Plain", "Empty", `get: "/{nothing}"`), `no field "nothing"`},
		{do("Full", "Empty", `get: "/{inner.id}"`), `segment "{inner.id}"`},
		{do("Plain", "Empty", `get: "/{limit}"`), `"limit" is not a plain string`},
		{do("Plain", "Empty", `get: "/{after}"`), `"after" is not a plain string`},
		{do("Lists", "Empty", `get: "/{tags}"`), `"tags" is not a plain string`},
		{do("Plain", "Empty", `get: "/{request_id}"`), `"request_id" is facade_only`},
		{do("Plain", "Empty", `get: "/a" body: "*"`), "a GET has no body"},
		{do("Full", "Empty", `post: "/a" body: "nothing"`), `body "nothing"`},
		{do("Full", "Empty", `post: "/a" body: "id"`), `body "id"`},
		{do("Lists", "Empty", `post: "/a" body: "inners"`), `body "inners"`},
		{do("Full", "Empty", `post: "/a" body: "hidden"`), `body "hidden" is facade_only`},
		{do("Full", "Empty", `get: "/{id}"`), "t.Full.inner has no form in a query"},
		{do("Lists", "Empty", `get: "/{id}"`), "t.Lists.tags has no form in a query"},
		{do("Plain", "Full", `get: "/a" response_body: "id"`), `response_body "id"`},
		{do("Plain", "Lists", `get: "/a" response_body: "inners"`), `response_body "inners"`},
		{do("Plain", "Empty", `get: "/a" response_body: "nothing"`), `response_body "nothing"`},
	}
	for _, tt := range tests {
		_, err := New(testConfig("http://127.0.0.1"), contract(t, tt.method))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "t.S.Do: ") {
			t.Errorf("%s:\n got %v\nwant t.S.Do: …%s…", tt.method, err, tt.want)
		}
	}
}

func TestNew_URLThatIsNoBase_IsAnErrorThatDoesNotQuoteIt(t *testing.T) {
	for _, url := range []string{"", "api.diga.io", "ftp://hunter2", "https://", "https://u:hunter2@h", "https://h?k=hunter2", "https://h#hunter2", "http://hunter2\x7f"} {
		_, err := New(testConfig(url))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
