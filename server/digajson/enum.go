package digajson

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
)

// enumNames are the JSON texts of an enum's values. The zero value has none, since it
// means an unset field. There are so few values that a search is faster than a map.
type enumNames struct {
	values  []enumValue // of two values with one number, the first is written
	allowed string
}

type enumValue struct {
	text   string
	number protoreflect.EnumNumber
}

// number returns the value with a text, or 0 if there is none.
func (n *enumNames) number(text string) protoreflect.EnumNumber {
	for i := range n.values {
		if n.values[i].text == text {
			return n.values[i].number
		}
	}
	return 0
}

// text returns the text of a value. It is empty if there is none.
func (n *enumNames) text(number protoreflect.EnumNumber) string {
	for i := range n.values {
		if n.values[i].number == number {
			return n.values[i].text
		}
	}
	return ""
}

// namesOf returns the texts of an enum. It fails if two values have the same text.
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

// EnumTexts lists the texts of an enum, for error messages.
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

// EnumText returns the JSON text of an enum value. It is empty for the zero value and for
// unknown numbers.
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

// enumPrefix returns the prefix of a type's values: AUTH_TYPE_ for AuthType.
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
