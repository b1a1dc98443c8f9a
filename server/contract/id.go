package contract

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson"
)

// ID returns the field with a message's id, or nil if there is none.
func ID(md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	fd := md.Fields().ByName("id")
	if fd == nil || fd.Kind() != protoreflect.StringKind || fd.IsList() {
		return nil
	}
	return fd
}

// hasID reports whether a body has an id, or each of its variants has one.
func hasID(md protoreflect.MessageDescriptor) bool {
	if ID(md) != nil {
		return true
	}
	od, _ := digajson.Flattened(md)
	if od == nil {
		return false
	}
	for i := range od.Fields().Len() {
		if m := od.Fields().Get(i).Message(); m == nil || ID(m) == nil {
			return false
		}
	}
	return true
}
