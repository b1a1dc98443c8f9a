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
// id all the same. What comes behind the id may be missing.
func bareID(body []byte) bool {
	return digajson.StringMember(string(body), "id") != ""
}
