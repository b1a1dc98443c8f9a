package digajson

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
)

// enumNames are the spellings of an enum's values. The zero value has none: an
// unset field holds it. There are few, so that a search is faster than a map.
type enumNames struct {
	values  []enumValue // of two with one number, the first is written
	allowed string
}

type enumValue struct {
	text   string
	number protoreflect.EnumNumber
}

// number returns the value of a spelling, 0 where there is none.
func (n *enumNames) number(text string) protoreflect.EnumNumber {
	for i := range n.values {
		if n.values[i].text == text {
			return n.values[i].number
		}
	}
	return 0
}

// text returns the spelling of a value, empty where it has none.
func (n *enumNames) text(number protoreflect.EnumNumber) string {
	for i := range n.values {
		if n.values[i].number == number {
			return n.values[i].text
		}
	}
	return ""
}

// namesOf returns the spellings of an enum. It fails where one would mean two values.
func namesOf(ed protoreflect.EnumDescriptor) (*enumNames, error) {
	n := new(enumNames)
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
		if other := n.number(text); other != 0 && other != vd.Number() {
			return nil, fmt.Errorf("%s: another value is spelled %q too", vd.FullName(), text)
		}
		n.values = append(n.values, enumValue{text, vd.Number()})
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
