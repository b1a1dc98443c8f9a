// Package gostruct finds the fields of a protobuf message in the Go struct that
// protoc-gen-go generated for it, by the struct's tags.
//
// Any program may assign the exported fields of such a struct, and this costs a fraction
// of protoreflect. A whole struct must not be assigned: it contains internal data that
// protobuf writes atomically even while the message is only read.
package gostruct

import (
	"reflect"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Field is a field of a generated struct.
type Field struct {
	// Index is the index for [reflect.Value.Field].
	Index int
	Type  reflect.Type
	// Name is the name of the message's field. It is empty for a oneof, whose fields
	// share one Go field.
	Name string
}

// Fields returns the Go fields that together represent all fields of the message md,
// whose Go type is t. It returns nil for a message that it does not fully support: an
// opaque or dynamic one, or one that may have extensions.
func Fields(t reflect.Type, md protoreflect.MessageDescriptor) []Field {
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct || md.ExtensionRanges().Len() > 0 {
		return nil
	}
	want := md.Fields().Len()
	for i := range md.Oneofs().Len() {
		if o := md.Oneofs().Get(i); !o.IsSynthetic() {
			want -= o.Fields().Len() - 1
		}
	}
	fields := make([]Field, 0, want)
	for i := range t.Elem().NumField() {
		f := t.Elem().Field(i)
		if !f.IsExported() {
			continue
		}
		tag, field := f.Tag.Lookup("protobuf")
		_, oneof := f.Tag.Lookup("protobuf_oneof")
		if !field && !oneof {
			return nil
		}
		fields = append(fields, Field{Index: i, Type: f.Type, Name: nameIn(tag)})
	}
	if len(fields) != want {
		return nil
	}
	return fields
}

// nameIn returns the field's name in a protobuf struct tag.
func nameIn(tag string) string {
	for part := range strings.SplitSeq(tag, ",") {
		if name, ok := strings.CutPrefix(part, "name="); ok {
			return name
		}
	}
	return ""
}
