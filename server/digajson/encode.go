package digajson

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// AppendRequest appends the message as the vendor is to get it: what is unset is
// absent. Where the message has an update_mask that names fields, exactly those
// are there, null where they are unset. A value that JSON or the contract has no
// form for is an [Error] that names its place.
func (c *Codec) AppendRequest(dst []byte, m proto.Message) ([]byte, error) {
	return (&encoder{}).object(dst, c, m.ProtoReflect())
}

// AppendAnswer appends the message as a client is to get it: what is unset is
// null, a list [] and a map {}.
func (c *Codec) AppendAnswer(dst []byte, m proto.Message) ([]byte, error) {
	return (&encoder{answer: true}).object(dst, c, m.ProtoReflect())
}

type encoder struct {
	answer bool
	depth  int
}

func (e *encoder) enter() error {
	if e.depth++; e.depth > MaxDepth {
		return &Error{Kind: KindDepth, Message: tooDeep}
	}
	return nil
}

func (e *encoder) object(dst []byte, c *Codec, m protoreflect.Message) ([]byte, error) {
	defer func() { e.depth-- }()
	if err := e.enter(); err != nil {
		return dst, err
	}
	if c.flat != nil {
		return e.flat(dst, c.flat, m)
	}
	dst = append(dst, '{')
	dst, err := e.fields(dst, c, m, false)
	return append(dst, '}'), err
}

// fields appends an object's members; more says that one stands before them.
func (e *encoder) fields(dst []byte, c *Codec, m protoreflect.Message, more bool) ([]byte, error) {
	named, some, err := c.masked(m)
	if err != nil {
		return dst, err
	}
	for _, f := range c.fields {
		if some && !named.has(f) {
			continue
		}
		has := m.Has(f.fd)
		if !has && !e.answer && !some {
			continue
		}
		if more {
			dst = append(dst, ',')
		}
		more = true
		dst = append(dst, f.key...)
		if !has {
			dst = f.appendUnset(dst, e.answer)
			continue
		}
		if dst, err = e.field(dst, f, m.Get(f.fd)); err != nil {
			return dst, within(err, f.name)
		}
	}
	return dst, nil
}

func (f *field) appendUnset(dst []byte, answer bool) []byte {
	switch {
	case answer && f.list:
		return append(dst, "[]"...)
	case answer && f.mapped:
		return append(dst, "{}"...)
	case answer && !f.fd.HasPresence() && f.shape == shapeBool:
		return append(dst, "false"...)
	case answer && !f.fd.HasPresence() && (f.shape == shapeInt || f.shape == shapeUint || f.shape == shapeFloat):
		return append(dst, '0')
	default:
		return append(dst, "null"...)
	}
}

func (e *encoder) field(dst []byte, f *field, v protoreflect.Value) ([]byte, error) {
	switch {
	case f.list:
		return e.list(dst, f, v.List())
	case f.mapped:
		return e.mapped(dst, f.mapValue, v.Map())
	default:
		return e.value(dst, f, v)
	}
}

func (e *encoder) list(dst []byte, f *field, list protoreflect.List) (_ []byte, err error) {
	dst = append(dst, '[')
	for i := range list.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = e.value(dst, f, list.Get(i)); err != nil {
			return dst, within(err, i)
		}
	}
	return append(dst, ']'), nil
}

func (e *encoder) mapped(dst []byte, f *field, entries protoreflect.Map) (_ []byte, err error) {
	var room [16]string
	keys := room[:0]
	entries.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k.String())
		return true
	})
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, k := range keys {
		if dst, err = appendKey(dst, k, i > 0); err != nil {
			return dst, err
		}
		if dst, err = e.value(dst, f, entries.Get(protoreflect.ValueOfString(k).MapKey())); err != nil {
			return dst, within(err, k)
		}
	}
	return append(dst, '}'), nil
}

func (e *encoder) value(dst []byte, f *field, v protoreflect.Value) ([]byte, error) {
	switch f.shape {
	case shapeString:
		return appendString(dst, v.String())
	case shapeBool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case shapeInt:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case shapeUint:
		return strconv.AppendUint(dst, v.Uint(), 10), nil
	case shapeFloat:
		return appendFloat(dst, v.Float(), f.bits)
	case shapeBytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
		return append(dst, '"'), nil
	case shapeEnum:
		return e.enum(dst, f.enum, v.Enum())
	case shapeTime:
		t := v.Message()
		seconds, nanos := timeOf(t)
		dst, ok := appendTime(dst, seconds, nanos)
		if !ok {
			return dst, &Error{Kind: KindTime, Message: "must be a time in the years 1 to 9999"}
		}
		return dst, nil
	case shapeMessage:
		return e.object(dst, f.msg, v.Message())
	default:
		return e.wellKnown(dst, v.Message().Interface())
	}
}

func timeOf(m protoreflect.Message) (seconds int64, nanos int32) {
	if t, ok := m.Interface().(*timestamppb.Timestamp); ok {
		return t.GetSeconds(), t.GetNanos()
	}
	fields := m.Descriptor().Fields()
	return m.Get(fields.ByNumber(1)).Int(), int32(m.Get(fields.ByNumber(2)).Int())
}

func (e *encoder) enum(dst []byte, names *enumNames, n protoreflect.EnumNumber) ([]byte, error) {
	if s, ok := names.text[n]; ok {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"'), nil
	}
	if n == 0 || e.answer {
		return append(dst, "null"...), nil
	}
	return dst, &Error{Kind: KindEnum, Message: "must be one of " + names.allowed}
}

func (e *encoder) flat(dst []byte, flat *flatOneof, m protoreflect.Message) ([]byte, error) {
	for i := range flat.variants {
		v := &flat.variants[i]
		if !m.Has(v.fd) {
			continue
		}
		dst = append(dst, `{"`...)
		dst = append(dst, flat.discriminator...)
		dst = append(dst, `":"`...)
		dst = append(dst, v.tag...)
		dst = append(dst, '"')
		dst, err := e.fields(dst, v.codec, m.Get(v.fd).Message(), true)
		return append(dst, '}'), within(err, string(v.fd.Name()))
	}
	return append(dst, "null"...), nil
}

func (e *encoder) wellKnown(dst []byte, m proto.Message) ([]byte, error) {
	switch m := m.(type) {
	case *structpb.Struct:
		return e.structure(dst, m)
	case *structpb.ListValue:
		return e.listValue(dst, m)
	case *structpb.Value:
		return e.anyValue(dst, m)
	default:
		return dst, &Error{Kind: KindNoValue, Message: "is of a type that JSON has no form for"}
	}
}

func (e *encoder) anyValue(dst []byte, v *structpb.Value) ([]byte, error) {
	switch k := v.GetKind().(type) {
	case *structpb.Value_NullValue:
		return append(dst, "null"...), nil
	case *structpb.Value_NumberValue:
		return appendFloat(dst, k.NumberValue, 64)
	case *structpb.Value_StringValue:
		return appendString(dst, k.StringValue)
	case *structpb.Value_BoolValue:
		return strconv.AppendBool(dst, k.BoolValue), nil
	case *structpb.Value_StructValue:
		return e.structure(dst, k.StructValue)
	case *structpb.Value_ListValue:
		return e.listValue(dst, k.ListValue)
	default:
		return dst, &Error{Kind: KindNoValue, Message: "is a value of no kind; set null_value for a null"}
	}
}

func (e *encoder) structure(dst []byte, s *structpb.Struct) (_ []byte, err error) {
	defer func() { e.depth-- }()
	if err := e.enter(); err != nil {
		return dst, err
	}
	var room [16]string
	keys := room[:0]
	for k := range s.GetFields() {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, k := range keys {
		if dst, err = appendKey(dst, k, i > 0); err != nil {
			return dst, err
		}
		if dst, err = e.anyValue(dst, s.Fields[k]); err != nil {
			return dst, within(err, k)
		}
	}
	return append(dst, '}'), nil
}

func (e *encoder) listValue(dst []byte, l *structpb.ListValue) (_ []byte, err error) {
	defer func() { e.depth-- }()
	if err := e.enter(); err != nil {
		return dst, err
	}
	dst = append(dst, '[')
	for i, v := range l.GetValues() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = e.anyValue(dst, v); err != nil {
			return dst, within(err, i)
		}
	}
	return append(dst, ']'), nil
}

func appendKey(dst []byte, key string, more bool) (_ []byte, err error) {
	if more {
		dst = append(dst, ',')
	}
	if dst, err = appendString(dst, key); err != nil {
		return dst, err
	}
	return append(dst, ':'), nil
}

const hexDigits = "0123456789abcdef"

// appendString writes a string with the escapes that JSON demands and no other.
func appendString(dst []byte, s string) ([]byte, error) {
	dst = append(dst, '"')
	start, ascii := 0, true
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			if c >= utf8.RuneSelf {
				ascii = false
			}
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
		}
	}
	if !ascii && !utf8.ValidString(s) {
		return dst, &Error{Kind: KindUnicode, Message: "must be valid Unicode"}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"'), nil
}

// appendFloat writes integers up to 2^53 as integers, and anything else so that
// no reader takes it for one, in as few digits as bring it back.
func appendFloat(dst []byte, f float64, bits int) ([]byte, error) {
	abs := math.Abs(f)
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return dst, &Error{Kind: KindFinite, Message: "must be a finite number"}
	case f == math.Trunc(f) && abs <= maxExact:
		if f == 0 && math.Signbit(f) {
			return append(dst, "-0"...), nil
		}
		return strconv.AppendInt(dst, int64(f), 10), nil
	case abs > maxExact || abs < 1e-6:
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'e', -1, bits)
		// e-09 is e-9, as JavaScript writes it.
		if n := len(dst); n-start >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' {
			dst[n-2] = dst[n-1]
			dst = dst[:n-1]
		}
		return dst, nil
	default:
		return strconv.AppendFloat(dst, f, 'f', -1, bits), nil
	}
}
