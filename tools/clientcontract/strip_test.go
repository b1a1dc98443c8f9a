package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// file returns a file with an option of each kind, and comments.
func file() *descriptorpb.FileDescriptorProto {
	required := &descriptorpb.FieldOptions{Deprecated: proto.Bool(true), DebugRedact: proto.Bool(true)}
	proto.SetExtension(required, annotations.E_FieldBehavior, []annotations.FieldBehavior{annotations.FieldBehavior_REQUIRED})
	call := &descriptorpb.MethodOptions{
		Deprecated: proto.Bool(true), IdempotencyLevel: descriptorpb.MethodOptions_NO_SIDE_EFFECTS.Enum(),
	}
	proto.SetExtension(call, annotations.E_Http, &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: "/thing"}})
	nested := &descriptorpb.DescriptorProto{
		Name: proto.String("Part"),
		Field: []*descriptorpb.FieldDescriptorProto{{
			Name: proto.String("name"), JsonName: proto.String("name"), Number: proto.Int32(7), Options: proto.CloneOf(required),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
		}},
		ReservedRange: []*descriptorpb.DescriptorProto_ReservedRange{{Start: proto.Int32(2), End: proto.Int32(4)}},
		ReservedName:  []string{"gone"},
	}
	return &descriptorpb.FileDescriptorProto{
		Name: proto.String("thing/v1/thing.proto"), Package: proto.String("thing.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/api/annotations.proto", "google/api/field_behavior.proto", "google/protobuf/struct.proto"},
		Options:    &descriptorpb.FileOptions{GoPackage: proto.String(servers + "thing/v1;thingv1"), JavaPackage: proto.String("thing")},
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("Thing"), Options: &descriptorpb.MessageOptions{Deprecated: proto.Bool(true)},
			Field: []*descriptorpb.FieldDescriptorProto{{
				Name: proto.String("value"), JsonName: proto.String("value"), Number: proto.Int32(3), TypeName: proto.String(".google.protobuf.Struct"), Options: required,
				Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), Type: descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(),
			}},
			NestedType: []*descriptorpb.DescriptorProto{nested},
		}},
		EnumType: []*descriptorpb.EnumDescriptorProto{{
			Name: proto.String("Kind"),
			Value: []*descriptorpb.EnumValueDescriptorProto{{
				Name: proto.String("KIND_UNSPECIFIED"), Number: proto.Int32(0),
				Options: &descriptorpb.EnumValueOptions{Deprecated: proto.Bool(true), DebugRedact: proto.Bool(true)},
			}},
		}},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: proto.String("ThingService"),
			Method: []*descriptorpb.MethodDescriptorProto{{
				Name: proto.String("GetThing"), InputType: proto.String(".thing.v1.Thing"), OutputType: proto.String(".thing.v1.Thing"), Options: call,
			}},
		}},
		SourceCodeInfo: &descriptorpb.SourceCodeInfo{Location: []*descriptorpb.SourceCodeInfo_Location{
			{Path: []int32{4, 0}, Span: []int32{1, 0, 1}, LeadingComments: proto.String(" Thing is a thing.\n")},
			{Path: []int32{4, 0, 2, 0}, Span: []int32{2, 0, 1}, LeadingComments: proto.String(" The value.\n")},
			{Path: []int32{4, 0, 3, 0, 2, 0}, Span: []int32{4, 0, 1}, LeadingComments: proto.String(" The name.\n")},
		}},
	}
}

func write(t *testing.T, fd *descriptorpb.FileDescriptorProto) (string, error) {
	t.Helper()
	set := &descriptorpb.FileDescriptorSet{}
	for _, dep := range []*descriptorpb.FileDescriptorProto{
		protodesc.ToFileDescriptorProto(descriptorpb.File_google_protobuf_descriptor_proto),
		protodesc.ToFileDescriptorProto(annotations.File_google_api_http_proto),
		protodesc.ToFileDescriptorProto(annotations.File_google_api_annotations_proto),
		protodesc.ToFileDescriptorProto(annotations.File_google_api_field_behavior_proto),
		protodesc.ToFileDescriptorProto(structpb.File_google_protobuf_struct_proto),
	} {
		set.File = append(set.File, dep)
	}
	set.File = append(set.File, fd)
	raw, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	output := t.TempDir()
	if err := run(bytes.NewReader(raw), output, []string{"thing.v1"}); err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(output, "thing/v1/thing.proto"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text), nil
}

const want = header + `syntax = "proto3";

package thing.v1;

import "google/protobuf/struct.proto";

option go_package = "github.com/digate/digate/client/go/thing/v1;thingv1";
option java_package = "thing";

// Thing is a thing.
message Thing {
  option deprecated = true;

  // The value.
  // REQUIRED.
  google.protobuf.Struct value = 3 [deprecated = true];

  message Part {
    // The name.
    // REQUIRED.
    string name = 7 [deprecated = true];

    reserved 2 to 3;

    reserved "gone";
  }
}

enum Kind {
  KIND_UNSPECIFIED = 0 [deprecated = true];
}

service ThingService {
  rpc GetThing ( Thing ) returns ( Thing ) {
    option deprecated = true;
    option idempotency_level = NO_SIDE_EFFECTS;
  }
}
`

func TestRun_OptionsThatCallersNeed_AreAllThatRemain(t *testing.T) {
	got, err := write(t, file())
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRun_WhatCallersCouldNotTake_IsRefused(t *testing.T) {
	for part, change := range map[string]func(*descriptorpb.FileDescriptorProto){
		"declares the extension other": func(fd *descriptorpb.FileDescriptorProto) {
			fd.Dependency = append(fd.Dependency, "google/protobuf/descriptor.proto")
			fd.Extension = append(fd.Extension, &descriptorpb.FieldDescriptorProto{
				Name: proto.String("other"), Number: proto.Int32(50000), Extendee: proto.String(".google.protobuf.FileOptions"),
				Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
			})
		},
		"go_package does not begin": func(fd *descriptorpb.FileDescriptorProto) { fd.Options.GoPackage = proto.String("elsewhere") },
		"no package of":             func(fd *descriptorpb.FileDescriptorProto) { fd.Package = proto.String("thing.v2") },
	} {
		fd := file()
		change(fd)
		if _, err := write(t, fd); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want %q", err, part)
		}
	}
}
