package digajson

import (
	"math"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// ParseText parses a field's value from the unescaped text in a URL. It is the inverse of
// [AppendText]. Its error is an [Error] that names the field.
func ParseText(fd protoreflect.FieldDescriptor, s string) (v protoreflect.Value, err error) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		if !utf8.ValidString(s) {
			return refuseText(fd, kindUnicode, "must be valid Unicode")
		}
		return protoreflect.ValueOfString(s), nil
	case protoreflect.BoolKind:
		switch s {
		case "true":
			return protoreflect.ValueOfBool(true), nil
		case "false":
			return protoreflect.ValueOfBool(false), nil
		}
		return refuseText(fd, kindBool, "must be true or false")
	case protoreflect.EnumKind:
		values := fd.Enum().Values()
		for i := range values.Len() {
			if vd := values.Get(i); vd.Number() != 0 && enumText(vd) == s {
				return protoreflect.ValueOfEnum(vd.Number()), nil
			}
		}
		return refuseText(fd, kindEnum, "must be one of "+EnumTexts(fd.Enum()))
	default:
		return parseNumber(fd, s)
	}
}

// parseNumber reads the value of a field that is a number.
func parseNumber(fd protoreflect.FieldDescriptor, s string) (protoreflect.Value, error) {
	switch fd.Kind() {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return refuseText(fd, "int_parsing", "must be an integer of 32 bits")
		}
		return protoreflect.ValueOfInt32(int32(n)), nil
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return refuseText(fd, "int_parsing", "must be an integer of 64 bits")
		}
		return protoreflect.ValueOfInt64(n), nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return refuseText(fd, "int_parsing", "must be an integer of 32 bits, not negative")
		}
		return protoreflect.ValueOfUint32(uint32(n)), nil
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return refuseText(fd, "int_parsing", "must be an integer of 64 bits, not negative")
		}
		return protoreflect.ValueOfUint64(n), nil
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		bits := 64
		if fd.Kind() == protoreflect.FloatKind {
			bits = 32
		}
		n, err := strconv.ParseFloat(s, bits)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return refuseText(fd, "float_parsing", "must be a finite number")
		}
		if bits == 32 {
			return protoreflect.ValueOfFloat32(float32(n)), nil
		}
		return protoreflect.ValueOfFloat64(n), nil
	default:
		return refuseText(fd, kindUnknownField, "has no form in a URL")
	}
}

func refuseText(fd protoreflect.FieldDescriptor, kind, message string) (protoreflect.Value, error) {
	return protoreflect.Value{}, &Error{Path: []any{string(fd.Name())}, Kind: kind, Message: message}
}
