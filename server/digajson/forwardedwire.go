package digajson

import (
	"math"
	"slices"
	"sync"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// WireReader decodes protobuf in the way in which [Codec.UnmarshalForwarded] decodes
// JSON. It is safe for concurrent use.
type WireReader struct {
	// Forwarded reports whether only Diga needs the values of a message type. Nil means
	// that there is no such type.
	Forwarded func(protoreflect.MessageDescriptor) bool

	plans sync.Map // protoreflect.FullName → forwardedFields
}

// Unmarshal is [proto.Unmarshal], except for Structs of forwarded messages: if there is a
// field for a Struct's JSON, only that field is set. [Codec.AppendRequest] writes the
// same bytes for either message.
func (r *WireReader) Unmarshal(b []byte, m proto.Message) error {
	if fields := r.plan(m.ProtoReflect().Descriptor()); len(fields) > 0 {
		w := wireWalkers.Get().(*wireWalker)
		defer w.release()
		w.normalForm = newNormalForm(len(b))
		var ok bool
		if w.message, ok = w.forward(slices.Grow(w.message[:0], len(b)), fields, b); ok {
			b = w.message
		}
	}
	return proto.Unmarshal(b, m)
}

// forwardedFields are the fields of a message that need special decoding.
type forwardedFields map[protowire.Number]forwardedField

// forwardedField is a Struct, a field for the JSON of one, or a message that contains
// such fields.
type forwardedField struct {
	// bit identifies the field within its message. A Struct and the field for its JSON
	// have the same bit.
	bit uint64
	// json is the field for this Struct's JSON, or 0 if this is not a Struct.
	json protowire.Number
	// within are the special fields of this message, or nil.
	within forwardedFields
}

// plan returns the special fields of a message type.
func (r *WireReader) plan(md protoreflect.MessageDescriptor) forwardedFields {
	if r.Forwarded == nil {
		return nil
	}
	if p, ok := r.plans.Load(md.FullName()); ok {
		return p.(forwardedFields)
	}
	p := r.fields(md, nil)
	r.plans.Store(md.FullName(), p)
	return p
}

// fields is plan for a type within others. A forwarded field must not be within a message
// of its own type.
func (r *WireReader) fields(md protoreflect.MessageDescriptor, around []protoreflect.FullName) forwardedFields {
	if slices.Contains(around, md.FullName()) || md.Fields().Len() > 64 {
		return nil
	}
	around = append(around, md.FullName())
	p := make(forwardedFields)
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		switch of := JSONOf(fd); {
		case of != nil && of.Message().FullName() == "google.protobuf.Struct" && r.Forwarded(md):
			p[of.Number()] = forwardedField{bit: 1 << i, json: fd.Number()}
			p[fd.Number()] = forwardedField{bit: 1 << i}
		case fd.Message() != nil && !fd.IsList() && !fd.IsMap() && !isGoogle(fd.Message()):
			if within := r.fields(fd.Message(), around); len(within) > 0 {
				p[fd.Number()] = forwardedField{bit: 1 << i, within: within}
			}
		}
	}
	return p
}

// wireWalker reads protobuf and writes the JSON of the Structs in it. It only reports
// that it cannot handle an input: protobuf that is not encoded in the usual way, or
// values without a JSON form.
type wireWalker struct {
	*normalForm
	message []byte // with JSON instead of Structs
	depth   int
}

var wireWalkers = sync.Pool{New: func() any { return new(wireWalker) }}

func (w *wireWalker) release() {
	w.normalForm.release()
	w.normalForm = nil
	if cap(w.message) <= maxKept {
		wireWalkers.Put(w)
	}
}

// forward appends a message with JSON instead of Structs.
func (w *wireWalker) forward(dst []byte, fields forwardedFields, b []byte) (_ []byte, ok bool) {
	var seen uint64
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return dst, false
		}
		m := protowire.ConsumeFieldValue(num, typ, b[n:])
		if m < 0 {
			return dst, false
		}
		whole := b[:n+m]
		b = b[n+m:]
		f := fields[num]
		if f.bit == 0 {
			dst = append(dst, whole...)
			continue
		}
		value, m := protowire.ConsumeBytes(whole[n:])
		if m < 0 || typ != protowire.BytesType || seen&f.bit != 0 {
			return dst, false
		}
		seen |= f.bit
		switch {
		case f.within != nil:
			start := len(dst)
			if dst, ok = w.forward(dst, f.within, value); !ok {
				return dst, false
			}
			head := protowire.AppendVarint(whole[:n:n], uint64(len(dst)-start))
			dst = slices.Insert(dst, start, head...)
		case f.json != 0:
			w.out, w.depth = w.out[:0], 1
			if !w.object(value) {
				return dst, false
			}
			dst = protowire.AppendBytes(protowire.AppendTag(dst, f.json, protowire.BytesType), w.out)
		default:
			dst = append(dst, whole...)
		}
	}
	return dst, true
}

// The fields of the well-known types, with their wire types.
const (
	structFields = 1<<3 | protowire.BytesType
	entryName    = 1<<3 | protowire.BytesType
	entryValue   = 2<<3 | protowire.BytesType
	listValues   = 1<<3 | protowire.BytesType
	valueNull    = 1<<3 | protowire.VarintType
	valueNumber  = 2<<3 | protowire.Fixed64Type
	valueString  = 3<<3 | protowire.BytesType
	valueBool    = 4<<3 | protowire.VarintType
	valueStruct  = 5<<3 | protowire.BytesType
	valueList    = 6<<3 | protowire.BytesType
)

// next returns the content of the field at the start of b, and the field's length. The
// length is negative if the field has another tag.
func next(b []byte, tag protowire.Type) (v []byte, n int) {
	if len(b) == 0 || b[0] != byte(tag) {
		return nil, -1
	}
	v, n = protowire.ConsumeBytes(b[1:])
	if n < 0 {
		return nil, -1
	}
	return v, n + 1
}

// object writes a Struct.
func (w *wireWalker) object(b []byte) bool {
	if w.depth++; w.depth > MaxDepth {
		return false
	}
	first := w.openObject()
	for len(b) > 0 {
		entry, n := next(b, structFields)
		if n < 0 {
			return false
		}
		b = b[n:]
		key, n := next(entry, entryName)
		if n < 0 {
			return false
		}
		value, m := next(entry[n:], entryValue)
		if m != len(entry)-n {
			return false
		}
		w.beginMember(first)
		if !w.text(key) {
			return false
		}
		w.endKey(textOf(key))
		if !w.value(value) {
			return false
		}
	}
	w.depth--
	return w.closeObject(first)
}

// list writes a ListValue.
func (w *wireWalker) list(b []byte) bool {
	if w.depth++; w.depth > MaxDepth {
		return false
	}
	w.write("[")
	for i := 0; len(b) > 0; i++ {
		value, n := next(b, listValues)
		if n < 0 {
			return false
		}
		b = b[n:]
		if i > 0 {
			w.write(",")
		}
		if !w.value(value) {
			return false
		}
	}
	w.write("]")
	w.depth--
	return true
}

// value writes a Value.
func (w *wireWalker) value(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	tag, b := protowire.Type(b[0]), b[1:]
	switch tag {
	case valueNull:
		v, n := protowire.ConsumeVarint(b)
		w.write("null")
		return n == len(b) && v == 0
	case valueBool:
		v, n := protowire.ConsumeVarint(b)
		if v != 0 {
			w.write("true")
		} else {
			w.write("false")
		}
		return n == len(b)
	case valueNumber:
		v, n := protowire.ConsumeFixed64(b)
		if n != len(b) {
			return false
		}
		var err error
		w.out, err = appendFloat(w.out, math.Float64frombits(v), 64)
		return err == nil
	}
	v, n := protowire.ConsumeBytes(b)
	if n != len(b) {
		return false
	}
	switch tag {
	case valueString:
		return w.text(v)
	case valueStruct:
		return w.object(v)
	case valueList:
		return w.list(v)
	default:
		return false
	}
}

// text writes a string.
func (w *wireWalker) text(b []byte) (valid bool) {
	w.out, valid = lex.AppendString(w.out, textOf(b))
	return valid
}

// textOf returns b as a string that shares its memory. b must not change while the string
// is in use.
func textOf(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // a text may have a megabyte
}
