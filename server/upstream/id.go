package upstream

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/exchange"
)

// yieldsID reports whether the response has an id. A complete response may lack an id
// that the contract makes optional.
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

// isSecondID reports whether the drift is a second id in a response.
func isSecondID(d exchange.Drift) bool {
	return d.Kind == digajson.KindDuplicate && len(d.Path) == 1 && d.Path[0] == "id"
}

// findID looks for the id in a response whose variant the contract does not know. It
// reports whether the response has an id, and whether it has more than one. The text
// after the id may be missing. For a write, it sets the id in the message's first
// variant, which is the one that writes create.
func findID(m protoreflect.Message, body []byte, write bool) (has, twice bool) {
	flattened, _ := digajson.Flattened(m.Descriptor())
	if flattened == nil {
		return false, false
	}
	id, twice := digajson.StringMember(string(body), "id")
	if id == "" {
		return false, twice
	}
	if write && m.WhichOneof(flattened) == nil {
		variant := m.Mutable(flattened.Fields().Get(0)).Message()
		variant.Set(contract.ID(variant.Descriptor()), protoreflect.ValueOfString(id))
	}
	return true, twice
}
