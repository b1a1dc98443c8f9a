package digajson

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
)

// enumNames are the spellings of an enum's values. The zero value has none: an
// unset field holds it.
type enumNames struct {
	text    map[protoreflect.EnumNumber]string
	number  map[string]protoreflect.EnumNumber
	allowed string
}

// namesOf returns the spellings of an enum. It fails where one would mean two values.
func namesOf(ed protoreflect.EnumDescriptor) (*enumNames, error) {
	n := &enumNames{text: make(map[protoreflect.EnumNumber]string), number: make(map[string]protoreflect.EnumNumber)}
	values := ed.Values()
	for i := range values.Len() {
		vd := values.Get(i)
		text := enumText(vd)
		if vd.Number() == 0 {
			if ownSpelling(vd) != "" {
				return nil, fmt.Errorf("%s: the zero value means an unset field and has no spelling", vd.FullName())
			}
			continue
		}
		if other, taken := n.number[text]; taken && other != vd.Number() {
			return nil, fmt.Errorf("%s: another value is spelled %q too", vd.FullName(), text)
		}
		n.number[text] = vd.Number()
		if _, alias := n.text[vd.Number()]; !alias {
			n.text[vd.Number()] = text
		}
	}
	n.allowed = EnumTexts(ed)
	return n, nil
}

// EnumTexts lists the spellings of an enum, for messages.
func EnumTexts(ed protoreflect.EnumDescriptor) string {
	var all []string
	values := ed.Values()
	for i := range values.Len() {
		if vd := values.Get(i); vd.Number() != 0 {
			all = append(all, enumText(vd))
		}
	}
	return strings.Join(all, ", ")
}

// EnumText returns an enum value as the dialect spells it, empty for the zero
// value and for a number that the contract does not know.
func EnumText(e protoreflect.Enum) string {
	vd := e.Descriptor().Values().ByNumber(e.Number())
	if vd == nil || vd.Number() == 0 {
		return ""
	}
	return enumText(vd)
}

func enumText(vd protoreflect.EnumValueDescriptor) string {
	if own := ownSpelling(vd); own != "" {
		return own
	}
	return strings.TrimPrefix(string(vd.Name()), enumPrefix(string(vd.Parent().Name())))
}

func ownSpelling(vd protoreflect.EnumValueDescriptor) string {
	own, _ := proto.GetExtension(vd.Options(), annotationsv1.E_EnumValue).(*annotationsv1.EnumValueRules)
	return own.GetJsonValue()
}

// enumPrefix is the prefix that a type's values have: AuthType, AUTH_TYPE_.
func enumPrefix(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' && i > 0 && (lower(name[i-1]) || i+1 < len(name) && lower(name[i+1])) {
			b.WriteByte('_')
		}
		b.WriteByte(c)
	}
	return strings.ToUpper(b.String()) + "_"
}

func lower(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
