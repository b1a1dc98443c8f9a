package digajson

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// UnmarshalForwarded reads a client's JSON as [Codec.UnmarshalRequest] does, for a
// message whose values nobody needs but Diga: of a Struct that has its JSON beside it, the
// JSON alone is set. [Codec.AppendRequest] writes the same bytes for either message. The message shares the memory of data, which must not change any more.
//
// UnmarshalForwarded returns the last JSON that it set, which [CheckVerbatim] need not check;
// empty if it set none.
func (c *Codec) UnmarshalForwarded(data []byte, m proto.Message) (checked string, err error) {
	d := decoder{Scanner: lex.Scanner{Data: textOf(data)}, strict: true, forwarded: true}
	err = c.decode(&d, m)
	return d.checked, ofDialect(err)
}

// forward reads the Struct of a field, which begins here, as the JSON beside it. It
// returns false, and reads nothing, where there is something wrong with the value, or
// where its text has to be kept as it is.
func (f *field) forward(d *decoder, t *message) bool {
	w := walker{Scanner: d.Scanner, depth: d.depth, values: d.values}
	var text string
	if w.outermost(f.shape) {
		text = d.Data[d.Pos:w.Pos]
	} else {
		form := newNormalForm(len(d.Data) - d.Pos)
		defer form.release()
		w = walker{Scanner: d.Scanner, normalForm: form, depth: d.depth, values: d.values}
		if !w.outermost(f.shape) {
			return false
		}
		text = string(form.out)
	}
	d.Scanner, d.values, d.checked = w.Scanner, w.values, text
	t.set(f.json, protoreflect.ValueOfString(text))
	return true
}
