package upstream

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/digajson"
)

// yieldsID reports whether a response's id was read. An id that may be missing by
// contract is not missed in a response that is whole.
func yieldsID(m protoreflect.Message, whole bool) bool {
	if fd := contract.ID(m.Descriptor()); fd != nil {
		return m.Get(fd).String() != "" || whole && fd.HasPresence()
	}
	if od, _ := digajson.Flattened(m.Descriptor()); od != nil {
		if fd := m.WhichOneof(od); fd != nil {
			return yieldsID(m.Get(fd).Message(), whole)
		}
	}
	return false
}

// bareID reports whether a response of no variant that the contract knows has an
// id all the same. What comes behind the id may be missing. The caller of a write
// gets the id in the first variant, the one that writes make.
func bareID(m protoreflect.Message, flattened protoreflect.OneofDescriptor, body []byte, write bool) bool {
	id := digajson.StringMember(string(body), "id")
	if id == "" {
		return false
	}
	if write && m.WhichOneof(flattened) == nil {
		variant := m.Mutable(flattened.Fields().Get(0)).Message()
		variant.Set(contract.ID(variant.Descriptor()), protoreflect.ValueOfString(id))
	}
	return true
}
