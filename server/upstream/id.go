package upstream

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/exchange"
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

// isSecondID reports whether the drift is that a response has its id twice.
func isSecondID(d exchange.Drift) bool {
	return d.Kind == digajson.KindDuplicate && len(d.Path) == 1 && d.Path[0] == "id"
}

// bareID reports whether a response that is one of several variants, but of none that the
// contract knows, has an id all the same, and whether it has more than one. What comes behind the id may be
// missing. The caller of a write gets the id in the first variant, the one that
// writes make.
func bareID(m protoreflect.Message, body []byte, write bool) (has, twice bool) {
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
