package digajson

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// UnmarshalForwarded is [Codec.UnmarshalRequest] for a message whose values only Diga
// needs: if there is a field for the JSON of a Struct, only that field is set.
// [Codec.AppendRequest] writes the same bytes for either message. The message shares
// memory with data, which must not be modified afterwards.
//
// UnmarshalForwarded returns the last JSON that it set, which [CheckVerbatim] need not
// validate again. It returns an empty string if it set none.
func (c *Codec) UnmarshalForwarded(data []byte, m proto.Message) (checked string, err error) {
	d := decoder{Scanner: lex.Scanner{Data: textOf(data)}, strict: true, forwarded: true}
	err = c.decode(&d, m)
	return d.checked, ofDialect(err)
}

// forward reads the Struct that begins here as JSON into the field for it. It returns
// false without reading anything if the value is invalid or its text must be kept
// exactly.
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
