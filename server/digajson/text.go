package digajson

import (
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// HasText reports whether a field can be in a URL's path or query: it is a single string,
// bool, number or enum.
func HasText(fd protoreflect.FieldDescriptor) bool {
	if fd.IsList() || fd.IsMap() {
		return false
	}
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind, protoreflect.BytesKind:
		return false
	default:
		return true
	}
}

// AppendText appends a field's value in the form for a URL, not yet escaped. [HasText]
// must be true for the field.
func AppendText(dst []byte, fd protoreflect.FieldDescriptor, v protoreflect.Value) ([]byte, error) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return append(dst, v.String()...), nil
	case protoreflect.BoolKind:
		return strconv.AppendBool(dst, v.Bool()), nil
	case protoreflect.EnumKind:
		vd := fd.Enum().Values().ByNumber(v.Enum())
		if vd == nil || vd.Number() == 0 {
			return dst, &Error{Path: []any{string(fd.Name())}, Kind: kindEnum, Message: "must be one of " + EnumTexts(fd.Enum())}
		}
		return append(dst, enumText(vd)...), nil
	case protoreflect.FloatKind:
		return appendFloat(dst, v.Float(), 32)
	case protoreflect.DoubleKind:
		return appendFloat(dst, v.Float(), 64)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return strconv.AppendUint(dst, v.Uint(), 10), nil
	default:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	}
}
