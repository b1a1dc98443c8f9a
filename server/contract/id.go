package contract

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson"
)

// ID returns a message's field for its id, nil where it has none.
func ID(md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	fd := md.Fields().ByName("id")
	if fd == nil || fd.Kind() != protoreflect.StringKind || fd.IsList() {
		return nil
	}
	return fd
}

// hasID reports whether a body has an id, by itself or in each variant that it
// may be.
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
