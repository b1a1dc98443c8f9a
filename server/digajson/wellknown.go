package digajson

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// wellKnown reads a Struct, Value or ListValue.
func (f *field) wellKnown(d *decoder) (v protoreflect.Value, set bool, err error) {
	var out proto.Message
	switch f.shape {
	case shapeStruct:
		if ok, err := d.opens('{', kindDict); !ok {
			return v, false, err
		}
		out, set, err = d.structure()
	case shapeList:
		if ok, err := d.opens('[', kindList); !ok {
			return v, false, err
		}
		out, set, err = d.list()
	default:
		out, set, err = d.anyValue()
	}
	if d.values > MaxValues {
		d.note(kindTooMany)
	}
	if !set || err != nil {
		return v, false, err
	}
	return protoreflect.ValueOfMessage(out.ProtoReflect()), true, nil
}

// anyValue reads any JSON value. It returns false for a value in a response that cannot
// be represented. The Struct or list that contains it is then dropped too, because it
// would be a different value without that part.
func (d *decoder) anyValue() (v *structpb.Value, ok bool, err error) {
	if d.values++; d.values > MaxValues {
		return nil, false, d.mismatch(kindTooMany, oneTooMany)
	}
	switch c := d.Peek(); c {
	case '{':
		if ok, err := d.opens('{', kindDict); !ok {
			return nil, false, err
		}
		s, ok, err := d.structure()
		return structpb.NewStructValue(s), ok, err
	case '[':
		if ok, err := d.opens('[', kindList); !ok {
			return nil, false, err
		}
		l, ok, err := d.list()
		return structpb.NewListValue(l), ok, err
	case '"':
		t, err := d.Str()
		if err != nil {
			return nil, false, err
		}
		if !t.Valid {
			return nil, false, d.refuse(kindUnicode, notUnicode)
		}
		return stringValue(t.String()), true, nil
	case 't':
		return structpb.NewBoolValue(true), true, d.Literal("true")
	case 'f':
		return structpb.NewBoolValue(false), true, d.Literal("false")
	case 'n':
		return structpb.NewNullValue(), true, d.Literal("null")
	default:
		raw, integer, err := d.wholeNumber()
		if err != nil {
			return nil, false, err
		}
		n, parseErr := strconv.ParseFloat(raw, 64)
		switch {
		case d.canonical:
			return d.canonicalNumber(raw, n, integer, parseErr == nil), true, nil
		case parseErr != nil:
			return d.unheld(kindFinite, outOfRange)
		case !integer && !d.verbatim: // it may be rounded
		case held(raw, n, integer):
		case integer:
			return d.unheld(kindInexact, inexact(n))
		default:
			d.lost = true // through rounding
		}
		return numberValue(n), true, nil
	}
}

// unheld handles a number that no double represents. In a request, it is not an error if
// the text is kept.
func (d *decoder) unheld(kind, message string) (*structpb.Value, bool, error) {
	if d.strict && d.verbatim {
		d.lost = true
		return numberValue(0), true, nil
	}
	return nil, false, d.refuse(kind, message)
}

// stringValue is structpb.NewStringValue in one allocation.
func stringValue(s string) *structpb.Value {
	v := new(struct {
		value structpb.Value
		kind  structpb.Value_StringValue
	})
	v.kind.StringValue = s
	v.value.Kind = &v.kind
	return &v.value
}

// numberValue is structpb.NewNumberValue in one allocation.
func numberValue(n float64) *structpb.Value {
	v := new(struct {
		value structpb.Value
		kind  structpb.Value_NumberValue
	})
	v.kind.NumberValue = n
	v.value.Kind = &v.kind
	return &v.value
}

// structure reads a Struct. It returns false if the Struct has too many values.
func (d *decoder) structure() (s *structpb.Struct, ok bool, err error) {
	s = &structpb.Struct{Fields: make(map[string]*structpb.Value)}
	has := func(k string) bool { _, has := s.Fields[k]; return has }
	err = d.members(func(key lex.Text) error {
		k, valid, err := d.entry(key, has)
		if !valid {
			d.lost = true
			return err
		}
		d.enter("*") // keys are data, not names
		v, kept, err := d.anyValue()
		d.leave()
		switch {
		case err != nil:
			return within(err, k)
		case kept:
			s.Fields[k] = v
		default:
			d.lost = true
		}
		return nil
	})
	return s, d.values <= MaxValues, err
}

// list reads a ListValue. It replaces values that it cannot represent with null, so that
// later values keep their index. It returns false if the list has too many values.
func (d *decoder) list() (l *structpb.ListValue, ok bool, err error) {
	l = new(structpb.ListValue)
	d.enter("*")
	err = d.elements(func(i int) error {
		v, kept, err := d.anyValue()
		switch {
		case err != nil:
			return within(err, i)
		case kept:
			l.Values = append(l.Values, v)
		default:
			d.lost = true
			if d.values <= MaxValues {
				l.Values = append(l.Values, structpb.NewNullValue())
			}
		}
		return nil
	})
	d.leave()
	return l, d.values <= MaxValues, err
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
		return dst, &Error{Kind: kindNoValue, Message: "is of a type that JSON has no form for"}
	}
}

func (e *encoder) anyValue(dst []byte, v *structpb.Value) ([]byte, error) {
	switch k := v.GetKind().(type) {
	case *structpb.Value_NullValue:
		return append(dst, "null"...), nil
	case *structpb.Value_NumberValue:
		return appendFloat(dst, k.NumberValue, 64)
	case *structpb.Value_StringValue:
		if number, ok := strings.CutPrefix(k.StringValue, numberMark); ok && e.canonical {
			return append(dst, number...), nil
		}
		return appendString(dst, k.StringValue)
	case *structpb.Value_BoolValue:
		return strconv.AppendBool(dst, k.BoolValue), nil
	case *structpb.Value_StructValue:
		return e.structure(dst, k.StructValue)
	case *structpb.Value_ListValue:
		return e.listValue(dst, k.ListValue)
	default:
		return dst, &Error{Kind: kindNoValue, Message: "is a value of no kind; set null_value for a null"}
	}
}

func (e *encoder) structure(dst []byte, s *structpb.Struct) (_ []byte, err error) {
	defer e.leave()
	if err := e.enter(); err != nil {
		return dst, err
	}
	var room [16]string
	dst = append(dst, '{')
	for i, k := range sortedKeys(room[:0], s.GetFields()) {
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
	defer e.leave()
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
