// Package digajson is the JSON dialect that Diga's API speaks, as a codec
// between JSON and protobuf messages in both directions, compiled once per
// message type from its descriptor.
//
// # Names and values
//
// Names are those of the .proto, in declaration order; map keys are sorted. An
// enum is its value's name without the type's prefix, or what the json_value
// option says. A time is RFC 3339. A google.protobuf.Struct, Value or ListValue
// is the JSON it holds. Integers are numbers, 64-bit ones too, and bytes are
// base64. A field that is facade_only or excluded is not written, and a key of
// its name is unknown.
//
// # Null and unset
//
// Null and unset are one thing: null on input leaves a field unset; an unset
// field is null in a response and absent in a request. An unspecified enum is
// unset. A field without presence is unset where it is zero, but for a bool or
// number in a response, which has no null. An empty list is [] in a response, an
// empty map {}. Null is no element of a list or map.
//
// # Strict and lenient
//
// Requests of clients are read strictly ([Codec.UnmarshalRequest]): a value that
// does not fit is refused. Diga's responses are read leniently
// ([Codec.UnmarshalResponse]): a field whose value does not fit stays unset, a list,
// map or Struct goes without such a value, a ListValue has null at its place, and
// the place is reported as drift. A Struct with too many values is unset as a whole.
// Both take only JSON as RFC 8259 has it.
//
// # Verbatim JSON
//
// A field with the option json_of has the JSON of a Struct, Value or ListValue beside
// it, where that cannot hold all of it. A response that is read has both: the Struct
// goes without what it cannot hold, and a decimal of too many digits is rounded. A
// request has one of the two: where a number is one that no double holds, or that is
// written otherwise afterwards, the JSON alone. What is written is the JSON.
//
// # Flattened oneofs
//
// A message whose only content is a oneof marked flatten is written as its
// variant's own object, with the discriminator in front. The discriminator's
// value is the variant's field name in upper case. Without a variant, a response
// is the discriminator alone, null; a request is refused.
//
// # Update masks
//
// A facade_only google.protobuf.FieldMask named update_mask (AIP-134) holds the keys
// of a request. Reading fills it with the fields whose keys are there, null or not.
// Writing writes the fields that it names: null where one is unset or empty, but
// for a bool or number without presence. The path "*" names every field. Without
// paths, every field that is set is written.
package digajson

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
)

// MaxDepth bounds how deep objects and arrays may nest in a message. A value that
// is skipped may nest deeper.
const MaxDepth = 100

// MaxValues bounds how many values the Structs, lists and maps of one request may
// hold, and the Structs of one response: a value takes many times the memory that
// its text does.
const MaxValues = 100_000

// maxFields is how many fields a message may have, for the sets of them.
const maxFields = 128

// Codec reads and writes the messages of one type. It may be used by many
// goroutines.
type Codec struct {
	md     protoreflect.MessageDescriptor
	goType reflect.Type // of the generated message, nil where there is none
	fields []*field
	byName map[string]*field
	mask   protoreflect.FieldDescriptor // update_mask, nil where there is none
	flat   *flatOneof                   // nil where the message is a plain object
}

// shape is the form of a value in JSON.
type shape uint8

const (
	shapeString shape = iota
	shapeBool
	shapeInt
	shapeUint
	shapeFloat
	shapeBytes
	shapeEnum
	shapeMessage
	shapeTime
	shapeStruct
	shapeValue
	shapeList
)

type field struct {
	fd       protoreflect.FieldDescriptor
	name     string
	key      string // `"name":`
	index    int
	slot     slot
	shape    shape
	bits     int // of an integer or a float
	list     bool
	mapped   bool
	opening  byte // of a list, map or message: its bracket
	required bool
	enum     *enumNames
	msg      *Codec
	mapValue *field
	// json is the string that holds the field's JSON where the field cannot hold
	// all of it; nil where there is none.
	json *field
	// oneof is the oneof that the field is a choice of; nil where it is none.
	oneof protoreflect.OneofDescriptor
	// nothing is what a response has in place of a field that is unset, and nulled what
	// a request has that names it in its update_mask.
	nothing, nulled string
}

// Option changes what a codec takes as the message's fields.
type Option func(*[]string)

// Exclude leaves out fields by name: those that an HTTP request has outside its
// body. They are not written, and in JSON a key of their name is unknown.
func Exclude(names ...string) Option {
	return func(excluded *[]string) { *excluded = append(*excluded, names...) }
}

var cache sync.Map // protoreflect.MessageDescriptor → *Codec

// Compile returns the codec of a message type. It fails for a type that the dialect
// has no form for, and for an excluded field that the message does not have.
func Compile(md protoreflect.MessageDescriptor, opts ...Option) (*Codec, error) {
	var excluded []string
	for _, o := range opts {
		o(&excluded)
	}
	if len(excluded) == 0 {
		if c, ok := cache.Load(md); ok {
			return c.(*Codec), nil
		}
	}
	if isGoogle(md) && md.FullName() != "google.protobuf.Empty" {
		return nil, fmt.Errorf("%s has no form as a whole body", md.FullName())
	}
	for _, name := range excluded {
		if md.Fields().ByName(protoreflect.Name(name)) == nil {
			return nil, fmt.Errorf("%s has no field %q to exclude", md.FullName(), name)
		}
	}
	c, err := compiler{}.compile(md, excluded)
	if err != nil {
		return nil, err
	}
	if len(excluded) == 0 {
		cache.Store(md, c)
	}
	return c, nil
}

// compiler holds the codecs that are being made, so that types may refer to
// themselves.
type compiler map[protoreflect.FullName]*Codec

func (k compiler) compile(md protoreflect.MessageDescriptor, excluded []string) (*Codec, error) {
	if c := k[md.FullName()]; c != nil && len(excluded) == 0 {
		return c, nil
	}
	c := &Codec{md: md, byName: make(map[string]*field)}
	if len(excluded) == 0 {
		k[md.FullName()] = c
	}
	if err := k.compileFlat(c); err != nil || c.flat != nil {
		return c, err
	}
	fields := md.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if slices.Contains(excluded, string(fd.Name())) {
			continue
		}
		if FacadeOnly(fd) {
			if fd.Name() == "update_mask" && fd.Message() != nil && fd.Message().FullName() == "google.protobuf.FieldMask" {
				c.mask = fd
			}
			continue
		}
		f, err := k.field(fd)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", fd.FullName(), err)
		}
		f.index = len(c.fields)
		f.nothing, f.nulled = f.unset()
		c.fields = append(c.fields, f)
		c.byName[f.name] = f
	}
	if len(c.fields) > maxFields {
		return nil, fmt.Errorf("%s: more than %d fields", md.FullName(), maxFields)
	}
	if err := c.bindJSON(); err != nil {
		return nil, err
	}
	c.bindSlots()
	return c, nil
}

// bindJSON finds the fields that hold the JSON of others.
func (c *Codec) bindJSON() error {
	for i := range c.md.Fields().Len() {
		fd := c.md.Fields().Get(i)
		of := jsonOf(fd)
		if of == "" {
			continue
		}
		f := c.byName[string(of)]
		if f == nil || f.list || f.shape != shapeStruct && f.shape != shapeValue && f.shape != shapeList {
			return fmt.Errorf("%s: there is no Struct, ListValue or Value %q", fd.FullName(), of)
		}
		if !FacadeOnly(fd) || fd.Kind() != protoreflect.StringKind || fd.IsList() || !fd.HasPresence() {
			return fmt.Errorf("%s: must be a facade_only string with presence", fd.FullName())
		}
		f.json = &field{fd: fd, name: string(fd.Name()), shape: shapeString}
	}
	return nil
}

func (k compiler) field(fd protoreflect.FieldDescriptor) (f *field, err error) {
	name := string(fd.Name())
	f = &field{fd: fd, name: name, key: `"` + name + `":`, list: fd.IsList(), required: isRequired(fd)}
	if f.list {
		f.opening = '['
	}
	if od := fd.ContainingOneof(); od != nil && !od.IsSynthetic() {
		f.oneof = od
	}
	if fd.IsMap() {
		if fd.MapKey().Kind() != protoreflect.StringKind {
			return nil, errors.New("a map's keys must be strings")
		}
		f.mapped, f.opening = true, '{'
		f.mapValue, err = k.field(fd.MapValue())
		return f, err
	}
	switch fd.Kind() {
	case protoreflect.StringKind:
		f.shape = shapeString
	case protoreflect.BoolKind:
		f.shape = shapeBool
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		f.shape, f.bits = shapeInt, 32
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		f.shape, f.bits = shapeInt, 64
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		f.shape, f.bits = shapeUint, 32
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		f.shape, f.bits = shapeUint, 64
	case protoreflect.FloatKind:
		f.shape, f.bits = shapeFloat, 32
	case protoreflect.DoubleKind:
		f.shape, f.bits = shapeFloat, 64
	case protoreflect.BytesKind:
		f.shape = shapeBytes
	case protoreflect.EnumKind:
		f.shape = shapeEnum
		f.enum, err = namesOf(fd.Enum())
	case protoreflect.MessageKind:
		return f, k.message(f, fd.Message())
	default:
		return nil, fmt.Errorf("kind %s has no form", fd.Kind())
	}
	return f, err
}

func (k compiler) message(f *field, md protoreflect.MessageDescriptor) (err error) {
	switch name := md.FullName(); name {
	case "google.protobuf.Timestamp":
		f.shape = shapeTime
	case "google.protobuf.Struct":
		f.shape = shapeStruct
	case "google.protobuf.Value":
		f.shape = shapeValue
	case "google.protobuf.ListValue":
		f.shape = shapeList
	default:
		if isGoogle(md) {
			return fmt.Errorf("%s has no form", name)
		}
		f.shape = shapeMessage
		if !f.list {
			f.opening = '{'
		}
		f.msg, err = k.compile(md, nil)
	}
	return err
}

// fieldSet is a set of a message's fields, by index.
type fieldSet [maxFields / 64]uint64

func (s *fieldSet) add(f *field)      { s[f.index/64] |= 1 << (f.index % 64) }
func (s *fieldSet) has(f *field) bool { return s[f.index/64]&(1<<(f.index%64)) != 0 }

func isGoogle(md protoreflect.MessageDescriptor) bool {
	return md.ParentFile().Package() == "google.protobuf"
}

// FacadeOnly reports whether the upstream has no such field.
func FacadeOnly(fd protoreflect.FieldDescriptor) bool {
	own, _ := proto.GetExtension(fd.Options(), annotationsv1.E_Field).(*annotationsv1.FieldRules)
	return own.GetFacadeOnly()
}

// jsonOf returns the name of the field whose JSON the field holds, empty for none.
func jsonOf(fd protoreflect.FieldDescriptor) protoreflect.Name {
	own, _ := proto.GetExtension(fd.Options(), annotationsv1.E_Field).(*annotationsv1.FieldRules)
	return protoreflect.Name(own.GetJsonOf())
}

func isRequired(fd protoreflect.FieldDescriptor) bool {
	behavior, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return slices.Contains(behavior, annotations.FieldBehavior_REQUIRED)
}
