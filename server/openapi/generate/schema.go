package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
	"github.com/digate/digate/server/digajson"
)

// schemas are the schemas of the contract's messages and enums in digajson's form: a
// field that is not required may be null.
type schemas struct {
	comments *comments
	all      object // by name, in the order of first use
	made     map[string]protoreflect.FullName
	errs     []error
}

// describe returns the description of an element of the contract.
func (s *schemas) describe(d protoreflect.Descriptor) string {
	text, err := s.comments.of(d)
	if err != nil {
		s.errs = append(s.errs, err)
	}
	return text
}

// component returns a reference to a schema, which it creates at the first call. Two
// schemas with the same name are an error.
func (s *schemas) component(d protoreflect.Descriptor, schema func() object) object {
	name := string(d.Name())
	switch of := s.made[name]; of {
	case "":
		s.made[name] = d.FullName()
		at := len(s.all)
		s.all = append(s.all, member{name, nil}) // it may refer to itself
		s.all[at].value = schema()
	case d.FullName():
	default:
		s.errs = append(s.errs, fmt.Errorf("%s and %s are both called %s", of, d.FullName(), name))
	}
	return ref("schemas", name)
}

// add adds a schema that is not part of the contract.
func (s *schemas) add(name string, schema object) object {
	if s.made[name] != "" {
		s.errs = append(s.errs, fmt.Errorf("%s is a message too", name))
	}
	s.made[name] = protoreflect.FullName(name)
	s.all = s.all.with(name, schema)
	return ref("schemas", name)
}

// message returns the schema of a message without the excepted fields. These must be the
// same for every use of the message.
func (s *schemas) message(md protoreflect.MessageDescriptor, except ...string) object {
	if oneof, tag := digajson.Flattened(md); oneof != nil {
		return s.component(md, func() object { return s.variants(md, oneof, tag) })
	}
	return s.component(md, func() object { return s.fields(md, "", "", except...) })
}

// variants returns the schema of a message with a flattened oneof.
func (s *schemas) variants(md protoreflect.MessageDescriptor, oneof protoreflect.OneofDescriptor, tag string) object {
	var refs []object
	var mapping object
	for i := range oneof.Fields().Len() {
		fd := oneof.Fields().Get(i)
		value := strings.ToUpper(string(fd.Name()))
		r := s.component(fd.Message(), func() object { return s.fields(fd.Message(), tag, value) })
		refs = append(refs, r)
		mapping = mapping.with(value, r[0].value)
	}
	return object{
		{"description", s.describe(md)}, {"oneOf", refs},
		{"discriminator", object{{"propertyName", tag}, {"mapping", mapping}}},
	}
}

// fields returns the schema of a message as an object. A variant also has its tag.
func (s *schemas) fields(md protoreflect.MessageDescriptor, tag, value string, except ...string) object {
	var properties object
	var required []string
	if tag != "" {
		properties = object{{tag, object{{"type", "string"}, {"const", value}, {"description", "Tells the variants apart."}}}}
		required = append(required, tag)
	}
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if digajson.FacadeOnly(fd) || slices.Contains(except, string(fd.Name())) {
			continue
		}
		if inEveryResponse(fd) {
			required = append(required, string(fd.Name()))
		}
		properties = properties.with(string(fd.Name()), s.field(fd, mayBeNull(fd)))
	}
	schema := object{{"type", "object"}, {"description", s.describe(md)}}
	if required != nil {
		schema = schema.with("required", required)
	}
	return schema.with("properties", properties)
}

func isRequired(fd protoreflect.FieldDescriptor) bool {
	behavior, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return slices.Contains(behavior, annotations.FieldBehavior_REQUIRED)
}

// field returns the schema of a field, with its description and its rules.
func (s *schemas) field(fd protoreflect.FieldDescriptor, null bool) object {
	var schema object
	switch {
	case fd.IsMap():
		schema = object{{"type", "object"}, {"additionalProperties", s.value(fd.MapValue())}}
	case fd.IsList():
		schema = object{{"type", "array"}, {"items", s.value(fd)}}
	default:
		schema = s.value(fd)
	}
	rules, _ := proto.GetExtension(fd.Options(), validate.E_Field).(*validate.FieldRules)
	limits, err := limitsOf(rules)
	if err != nil {
		s.errs = append(s.errs, fmt.Errorf("%s: %w", fd.FullName(), err))
	}
	if fd.Kind() == protoreflect.Int32Kind && inRequest(fd) {
		limits = append(limits, object{{"minimum", math.MinInt32}, {"maximum", math.MaxInt32}}...)
	}
	for _, l := range limits {
		if !schema.has(l.name) {
			schema = append(schema, l)
		}
	}
	if null {
		schema = orNull(schema)
	}
	return schema.with("description", s.describe(fd))
}

// value returns the schema of one value of a field.
func (s *schemas) value(fd protoreflect.FieldDescriptor) object {
	switch fd.Kind() {
	case protoreflect.MessageKind:
		switch fd.Message().FullName() {
		case "google.protobuf.Timestamp":
			return object{{"type", "string"}, {"format", "date-time"}}
		case "google.protobuf.Struct":
			return object{{"type", "object"}, {"additionalProperties", true}}
		case "google.protobuf.ListValue":
			return object{{"type", "array"}, {"items", true}}
		case "google.protobuf.Value":
			if slices.Contains(scalars, fd.FullName()) {
				return object{{"type", []string{"string", "number", "boolean"}}}
			}
			return object{}
		}
		return s.message(fd.Message())
	case protoreflect.EnumKind:
		return s.enum(fd)
	case protoreflect.BoolKind:
		return object{{"type", "boolean"}}
	case protoreflect.DoubleKind:
		return object{{"type", "number"}, {"format", "double"}}
	case protoreflect.StringKind:
		if isID(fd) {
			return object{{"type", "string"}, {"format", "uuid"}}
		}
		return object{{"type", "string"}}
	case protoreflect.Int32Kind:
		if inRequest(fd) {
			return object{{"type", "integer"}, {"format", "int32"}}
		}
		return object{{"type", "integer"}} // of any size, if Diga's response has it
	case protoreflect.Int64Kind:
		return object{{"type", "integer"}, {"format", "int64"}}
	default:
		s.errs = append(s.errs, fmt.Errorf("%s: a %s has no schema yet", fd.FullName(), fd.Kind()))
		return nil
	}
}

// enum returns the schema of an enum, restricted to the values that the field permits.
func (s *schemas) enum(fd protoreflect.FieldDescriptor) object {
	own, _ := proto.GetExtension(fd.Options(), annotationsv1.E_Field).(*annotationsv1.FieldRules)
	texts := strings.Split(digajson.EnumTexts(fd.Enum()), ", ")
	if without := own.GetWithoutValues(); len(without) > 0 {
		return object{{"type", "string"}, {"enum", slices.DeleteFunc(texts, func(v string) bool { return slices.Contains(without, v) })}}
	}
	ed := fd.Enum()
	if parent, ok := ed.Parent().(protoreflect.MessageDescriptor); ok {
		// Enums within different messages may have the same name.
		return s.named(string(parent.Name()+ed.Name()), ed, texts)
	}
	return s.named(string(ed.Name()), ed, texts)
}

func (s *schemas) named(name string, ed protoreflect.EnumDescriptor, texts []string) object {
	if of := s.made[name]; of == ed.FullName() {
		return ref("schemas", name)
	} else if of != "" {
		s.errs = append(s.errs, fmt.Errorf("%s and %s are both called %s", of, ed.FullName(), name))
	}
	s.made[name] = ed.FullName()
	var list string
	n, told := 0, false
	for i := range ed.Values().Len() {
		if v := ed.Values().Get(i); v.Number() != 0 {
			list += fmt.Sprintf("\n- `%s`: %s", texts[n], s.describe(v))
			told = told || s.describe(v) != texts[n]+"."
			n++
		}
	}
	description := s.describe(ed)
	if told { // more than the names of the values
		description += "\n" + list
	}
	s.all = s.all.with(name, object{{"type", "string"}, {"enum", texts}, {"description", description}})
	return ref("schemas", name)
}

// orNull returns a schema that also permits null.
func orNull(schema object) object {
	if len(schema) == 0 {
		return schema // any value
	}
	if schema[0].name == "type" && !schema.has("enum") {
		types, _ := schema[0].value.([]string)
		if name, ok := schema[0].value.(string); ok {
			types = []string{name}
		}
		return append(object{{"type", append(types, "null")}}, schema[1:]...)
	}
	return object{{"anyOf", []object{schema, {{"type", "null"}}}}}
}

// limitsOf returns the validation rules as keywords. An unsupported rule is an error.
func limitsOf(rules *validate.FieldRules) (limits object, err error) {
	if rules == nil {
		return nil, nil
	}
	known := &validate.FieldRules{Required: rules.Required}
	switch {
	case rules.GetString().GetUuid():
		limits = object{{"format", "uuid"}}
		known.Type = &validate.FieldRules_String_{String_: &validate.StringRules{WellKnown: &validate.StringRules_Uuid{Uuid: true}}}
	case rules.GetInt32() != nil:
		own := new(validate.Int32Rules)
		if r := rules.GetInt32(); r.HasGte() {
			limits, own.GreaterThan = limits.with("minimum", r.GetGte()), &validate.Int32Rules_Gte{Gte: r.GetGte()}
		}
		if r := rules.GetInt32(); r.HasLte() {
			limits, own.LessThan = limits.with("maximum", r.GetLte()), &validate.Int32Rules_Lte{Lte: r.GetLte()}
		}
		known.Type = &validate.FieldRules_Int32{Int32: own}
	case rules.GetRepeated().HasMinItems():
		limits = object{{"minItems", rules.GetRepeated().GetMinItems()}}
		known.Type = &validate.FieldRules_Repeated{Repeated: &validate.RepeatedRules{MinItems: new(rules.GetRepeated().GetMinItems())}}
	case rules.GetEnum().GetDefinedOnly():
		known.Type = &validate.FieldRules_Enum{Enum: &validate.EnumRules{DefinedOnly: new(true)}}
	}
	if !proto.Equal(rules, known) {
		return nil, errors.New("a rule has no keyword here yet")
	}
	return limits, nil
}
