package surface

import (
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/digajson"
)

// OfContract returns what a contract needs of Diga: the methods that are sent to it.
// Methods and fields that are facade_only are no part of it.
func OfContract(c *contract.Contract) *Surface {
	s := &Surface{Partial: true}
	requests, responses := make(messages), make(messages)
	for _, m := range c.Methods() {
		if m.FacadeOnly || m.Binding == nil {
			continue
		}
		s.Operations = append(s.Operations, operation(m, requests, responses))
	}
	s.Prefix = commonPrefix(s.Operations)
	return s
}

// messages are the shapes of messages, each made once: messages may hold themselves.
type messages map[protoreflect.FullName]*Shape

func operation(m *contract.Method, requests, responses messages) *Operation {
	in, out := m.Descriptor.Input(), m.Descriptor.Output()
	o := &Operation{Name: string(m.Descriptor.Name()), Verb: m.Binding.Verb, Statuses: []int{m.SuccessStatus}}
	var path strings.Builder
	for _, s := range m.Binding.Path {
		path.WriteByte('/')
		if s.Field == nil {
			path.WriteString(s.Literal)
			continue
		}
		path.WriteString("{" + string(s.Field.Name()) + "}" + s.Suffix)
		p := &Param{In: "path", Field: *requests.field(s.Field, true)}
		p.Required = true
		o.Params = append(o.Params, p)
	}
	o.Path = path.String()
	for _, fd := range m.Binding.Query {
		o.Params = append(o.Params, &Param{In: "query", Field: *requests.field(fd, true)})
	}
	if m.Binding.Body != nil {
		body := &Shape{Name: string(in.Name()), Kind: Object, Fields: requests.fields(in, true, m.Binding.InPath()...)}
		o.Request = &Field{Required: true, Use: Use{Shape: body}}
	}
	if m.Binding.Response != nil {
		if fd := m.Binding.ResponseField; fd != nil {
			o.ResponseField, out = string(fd.Name()), fd.Message()
		}
		o.Response = &Use{Shape: responses.message(out, false)}
	}
	return o
}

// message returns the shape of a message in a request or in a response.
func (ms messages) message(md protoreflect.MessageDescriptor, request bool) *Shape {
	if s := ms[md.FullName()]; s != nil {
		return s
	}
	s := &Shape{Name: string(md.Name()), Kind: Object}
	ms[md.FullName()] = s
	if oneof, _ := digajson.Flattened(md); oneof != nil {
		for i := range oneof.Fields().Len() {
			fd := oneof.Fields().Get(i)
			s.Variants = append(s.Variants, &Variant{strings.ToUpper(string(fd.Name())), ms.message(fd.Message(), request)})
		}
		return s
	}
	s.Fields = ms.fields(md, request)
	return s
}

func (ms messages) fields(md protoreflect.MessageDescriptor, request bool, except ...string) []*Field {
	var fields []*Field
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if !digajson.FacadeOnly(fd) && !slices.Contains(except, string(fd.Name())) {
			fields = append(fields, ms.field(fd, request))
		}
	}
	return fields
}

// field returns a field. In a response, null is an unset field unless the field is
// required.
func (ms messages) field(fd protoreflect.FieldDescriptor, request bool) *Field {
	behavior, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	f := &Field{Name: string(fd.Name()), Required: slices.Contains(behavior, annotations.FieldBehavior_REQUIRED)}
	f.Null = !request && !f.Required
	switch {
	case fd.IsMap():
		f.Shape = &Shape{Kind: Object, Keys: &Use{Shape: ms.value(fd.MapValue(), request)}}
	case fd.IsList():
		f.Shape = &Shape{Kind: Array, Items: &Use{Shape: ms.value(fd, request)}}
	default:
		f.Shape = ms.value(fd, request)
	}
	if request {
		rules, _ := proto.GetExtension(fd.Options(), validate.E_Field).(*validate.FieldRules)
		f.Shape.restrict(rules)
	}
	return f
}

// value returns the shape of one value of a field.
func (ms messages) value(fd protoreflect.FieldDescriptor, request bool) *Shape {
	switch fd.Kind() {
	case protoreflect.MessageKind:
		switch fd.Message().FullName() {
		case "google.protobuf.Timestamp":
			return &Shape{Kind: String, Format: "date-time"}
		case "google.protobuf.Struct":
			return &Shape{Kind: Object, Keys: &Use{&Shape{Kind: Any}, true}}
		case "google.protobuf.ListValue":
			return &Shape{Kind: Array, Items: &Use{&Shape{Kind: Any}, true}}
		case "google.protobuf.Value":
			return &Shape{Kind: Any}
		}
		return ms.message(fd.Message(), request)
	case protoreflect.EnumKind:
		return &Shape{Name: string(fd.Enum().Name()), Kind: String, Enum: spellings(fd)}
	case protoreflect.BoolKind:
		return &Shape{Kind: Boolean}
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return &Shape{Kind: Number}
	case protoreflect.StringKind, protoreflect.BytesKind:
		return &Shape{Kind: String}
	default:
		return &Shape{Kind: Integer}
	}
}

// spellings returns the values that an enum field may have, as they are written in
// JSON.
func spellings(fd protoreflect.FieldDescriptor) []string {
	own, _ := proto.GetExtension(fd.Options(), annotationsv1.E_Field).(*annotationsv1.FieldRules)
	return slices.DeleteFunc(strings.Split(digajson.EnumTexts(fd.Enum()), ", "), func(v string) bool {
		return slices.Contains(own.GetWithoutValues(), v)
	})
}

// restrict notes the restrictions that Diga's document can state too.
func (s *Shape) restrict(rules *validate.FieldRules) {
	if rules.GetString().GetUuid() {
		s.Format = "uuid"
	}
	limits := make(map[string]float64)
	if r := rules.GetInt32(); r != nil {
		if r.HasGte() {
			limits["minimum"] = float64(r.GetGte())
		}
		if r.HasLte() {
			limits["maximum"] = float64(r.GetLte())
		}
	}
	if r := rules.GetRepeated(); r != nil && r.HasMinItems() {
		limits["minItems"] = float64(r.GetMinItems())
	}
	if len(limits) > 0 {
		s.Limits = limits
	}
}
