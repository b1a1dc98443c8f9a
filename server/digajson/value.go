package digajson

import (
	"encoding/base64"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// value reads one value that is not a message of the contract. It returns false if there
// is no value to set.
func (f *field) value(d *decoder) (v protoreflect.Value, set bool, err error) {
	c := d.Peek()
	switch f.shape {
	case shapeString, shapeBytes, shapeTime, shapeEnum:
		if c != '"' {
			return v, false, d.mismatch(f.textKind())
		}
		t, err := d.Str()
		if err != nil {
			return v, false, err
		}
		if !t.Valid {
			return v, false, d.refuse(kindUnicode, notUnicode)
		}
		return f.fromText(d, t)
	case shapeBool:
		switch c {
		case 't':
			return protoreflect.ValueOfBool(true), true, d.Literal("true")
		case 'f':
			return protoreflect.ValueOfBool(false), true, d.Literal("false")
		}
		return v, false, d.mismatch(kindBool, mustBe[kindBool])
	case shapeInt, shapeUint, shapeFloat:
		if c != '-' && (c < '0' || c > '9') {
			kind := kindInt
			if f.shape == shapeFloat {
				kind = kindFloat
			}
			return v, false, d.mismatch(kind, mustBe[kind])
		}
		raw, _, err := d.wholeNumber()
		if err != nil {
			return v, false, err
		}
		return f.fromNumber(d, raw)
	default:
		return f.wellKnown(d)
	}
}

// textKind returns the kind and message of the error for a value that is not a string.
func (f *field) textKind() (kind, message string) {
	switch f.shape {
	case shapeTime:
		return kindTime, mustBe[kindTime]
	case shapeEnum:
		return kindEnum, "must be one of " + f.enum.allowed
	default:
		return kindString, mustBe[kindString]
	}
}

func (f *field) fromText(d *decoder, t lex.Text) (v protoreflect.Value, set bool, err error) {
	switch f.shape {
	case shapeEnum:
		n := f.enum.number(t.String())
		if n == 0 {
			return v, false, d.refuse(f.textKind())
		}
		return protoreflect.ValueOfEnum(n), true, nil
	case shapeTime:
		at, ok := parseTime(t.String())
		if !ok {
			return v, false, d.refuse(f.textKind())
		}
		return protoreflect.ValueOfMessage(at.ProtoReflect()), true, nil
	case shapeBytes:
		b, err := base64.StdEncoding.DecodeString(t.String())
		if err != nil {
			return v, false, d.refuse(kindBytes, mustBe[kindBytes])
		}
		return protoreflect.ValueOfBytes(b), true, nil
	default:
		return protoreflect.ValueOfString(t.String()), true, nil
	}
}

const outOfRange = "is out of range"

func (f *field) fromNumber(d *decoder, raw string) (v protoreflect.Value, set bool, err error) {
	if f.shape == shapeFloat {
		n, err := strconv.ParseFloat(raw, f.bits)
		if err != nil {
			return v, false, d.refuse(kindFinite, outOfRange)
		}
		if f.bits == 32 {
			return protoreflect.ValueOfFloat32(float32(n)), true, nil
		}
		return protoreflect.ValueOfFloat64(n), true, nil
	}
	negative, n, kind := integer(raw)
	if kind == kindInt {
		return v, false, d.refuse(kindInt, mustBe[kindInt])
	}
	limit := uint64(1)<<(f.bits-1) - 1 // of a signed integer; one more for negative ones
	switch {
	case f.shape == shapeInt && negative:
		limit++
	case f.shape == shapeUint && negative:
		limit = 0
	case f.shape == shapeUint:
		limit = limit<<1 | 1
	}
	if kind != "" || n > limit {
		return v, false, d.refuse(kindIntRange, outOfRange)
	}
	signed := int64(n)
	if negative {
		signed = -signed // -2^63 is its own negative
	}
	switch {
	case f.shape == shapeUint && f.bits == 32:
		return protoreflect.ValueOfUint32(uint32(n)), true, nil
	case f.shape == shapeUint:
		return protoreflect.ValueOfUint64(n), true, nil
	case f.bits == 32:
		return protoreflect.ValueOfInt32(int32(signed)), true, nil
	default:
		return protoreflect.ValueOfInt64(signed), true, nil
	}
}

// wholeNumber reads a number that is not at the end of the text. A number at the end is
// an error, because its last digits may be missing.
func (d *decoder) wholeNumber() (raw string, integer bool, err error) {
	raw, integer, err = d.Number()
	if err == nil && d.Pos == len(d.Data) {
		err = d.Invalid()
	}
	return raw, integer, err
}
