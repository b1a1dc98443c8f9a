package upstream

import (
	"encoding/json"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
)

// idField returns a message's field for its id, nil where it has none.
func idField(md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	fd := md.Fields().ByName("id")
	if fd == nil || fd.Kind() != protoreflect.StringKind || fd.IsList() {
		return nil
	}
	return fd
}

// flattened returns a message's oneof that is, on the wire, the message itself;
// nil where it has none.
func flattened(md protoreflect.MessageDescriptor) protoreflect.OneofDescriptor {
	for i := range md.Oneofs().Len() {
		od := md.Oneofs().Get(i)
		if own, _ := proto.GetExtension(od.Options(), annotationsv1.E_Oneof).(*annotationsv1.OneofRules); own.GetFlatten() != "" {
			return od
		}
	}
	return nil
}

// hasID says whether an answer has an id, by itself or in each variant that it
// may be.
func hasID(md protoreflect.MessageDescriptor) bool {
	if idField(md) != nil {
		return true
	}
	od := flattened(md)
	if od == nil {
		return false
	}
	for i := range od.Fields().Len() {
		if m := od.Fields().Get(i).Message(); m == nil || idField(m) == nil {
			return false
		}
	}
	return true
}

// yieldsID says whether an answer's id was read. One that may be missing by
// contract is not missed in an answer that is whole.
func yieldsID(m protoreflect.Message, whole bool) bool {
	if fd := idField(m.Descriptor()); fd != nil {
		return m.Get(fd).String() != "" || whole && fd.HasPresence()
	}
	if od := flattened(m.Descriptor()); od != nil {
		if fd := m.WhichOneof(od); fd != nil {
			return yieldsID(m.Get(fd).Message(), whole)
		}
	}
	return false
}

// bareID says whether an answer that is of no variant that the contract knows
// has an id all the same.
func bareID(body []byte) bool {
	var answer struct {
		ID string `json:"id"`
	}
	return json.Unmarshal(body, &answer) == nil && answer.ID != ""
}
