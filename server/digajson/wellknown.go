package digajson

import (
	"math"
	"math/big"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
)

// maxExact is the largest integer below which a double holds every integer.
const maxExact = 1 << 53

// wellKnown reads a value of the google.protobuf.Struct family.
func (f *field) wellKnown(d *decoder, m protoreflect.Message) (v protoreflect.Value, set bool, err error) {
	var out proto.Message
	switch c := d.peek(); f.shape {
	case shapeStruct:
		if c != '{' {
			return v, false, d.mismatch(KindDict, "must be a JSON object")
		}
		s, ok, err := d.structure()
		if !ok || err != nil {
			return v, false, err
		}
		out = s
	case shapeList:
		if c != '[' {
			return v, false, d.mismatch(KindList, "must be a JSON array")
		}
		l, ok, err := d.list()
		if !ok || err != nil {
			return v, false, err
		}
		out = l
	default:
		x, ok, err := d.anyValue()
		if !ok || err != nil {
			return v, false, err
		}
		out = x
	}
	return protoreflect.ValueOfMessage(out.ProtoReflect()), true, nil
}

// anyValue reads any JSON. It says false where an answer holds what cannot be
// kept; what holds it is then not kept either, since half a value is another.
func (d *decoder) anyValue() (v *structpb.Value, ok bool, err error) {
	switch c := d.peek(); c {
	case '{':
		s, ok, err := d.structure()
		return structpb.NewStructValue(s), ok, err
	case '[':
		l, ok, err := d.list()
		return structpb.NewListValue(l), ok, err
	case '"':
		t, err := d.str()
		if err != nil {
			return nil, false, err
		}
		if !t.valid {
			return nil, false, d.refuse(KindUnicode, "must be valid Unicode")
		}
		return structpb.NewStringValue(t.string()), true, nil
	case 't':
		return structpb.NewBoolValue(true), true, d.literal("true")
	case 'f':
		return structpb.NewBoolValue(false), true, d.literal("false")
	case 'n':
		return structpb.NewNullValue(), true, d.literal("null")
	default:
		raw, integer, err := d.number()
		if err != nil {
			return nil, false, err
		}
		n, parseErr := strconv.ParseFloat(string(raw), 64)
		if parseErr != nil {
			return nil, false, d.refuse(KindFinite, "is out of range")
		}
		if integer && !exact(raw, n) {
			return nil, false, d.refuse(KindInexact, "is an integer that a double cannot hold exactly; write it as a string")
		}
		return structpb.NewNumberValue(n), true, nil
	}
}

// exact says whether the double n is the integer that raw is.
func exact(raw []byte, n float64) bool {
	if math.Abs(n) < maxExact {
		return true
	}
	want, ok := new(big.Int).SetString(string(raw), 10)
	if !ok {
		return false
	}
	got, _ := big.NewFloat(n).Int(nil)
	return want.Cmp(got) == 0
}

func (d *decoder) structure() (s *structpb.Struct, ok bool, err error) {
	defer d.leave()
	if !d.enter() {
		return nil, false, d.mismatch(KindDepth, tooDeep)
	}
	s = &structpb.Struct{Fields: make(map[string]*structpb.Value)}
	ok = true
	err = d.members(func(key text) error {
		if !key.valid {
			ok = false
			_, err := d.skip()
			d.note(KindUnicode)
			return err
		}
		k := key.string()
		if _, twice := s.Fields[k]; twice {
			if d.strict {
				return &Error{Path: []any{k}, Kind: KindDuplicate, Message: "the key stands here twice", Offset: d.pos}
			}
			d.note(KindDuplicate)
		}
		v, kept, err := d.anyValue()
		ok = ok && kept
		s.Fields[k] = v
		return within(err, k)
	})
	return s, ok, err
}

func (d *decoder) list() (l *structpb.ListValue, ok bool, err error) {
	defer d.leave()
	if !d.enter() {
		return nil, false, d.mismatch(KindDepth, tooDeep)
	}
	l, ok = new(structpb.ListValue), true
	err = d.elements(func(i int) error {
		v, kept, err := d.anyValue()
		ok = ok && kept
		l.Values = append(l.Values, v)
		return within(err, i)
	})
	return l, ok, err
}
