package digajson

import (
	"unsafe"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// UnmarshalForwarded reads a client's JSON as [Codec.UnmarshalRequest] does, for a
// message whose values nobody needs but Diga: a field that has its JSON beside it gets
// the JSON alone, and no Struct. [Codec.AppendRequest] writes the same bytes for either
// message. The message shares the memory of data, which must not change any more.
func (c *Codec) UnmarshalForwarded(data []byte, m proto.Message) error {
	text := unsafe.String(unsafe.SliceData(data), len(data)) //nolint:gosec // a text may have a megabyte
	d := decoder{Scanner: lex.Scanner{Data: text}, strict: true, forwarded: true}
	return ofDialect(c.decode(&d, m))
}

// forward reads the value of a field, which begins here, as the JSON beside it. It
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
	d.Scanner, d.values = w.Scanner, w.values
	t.set(f.json, protoreflect.ValueOfString(text))
	return true
}
