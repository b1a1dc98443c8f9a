// Package digajson implements the JSON dialect of Diga's API: a codec between JSON and
// protobuf messages, which is compiled once per message type from its descriptor.
//
// # Names and values
//
// Fields have their names in the .proto file, in the order of their declaration. Map keys
// are sorted. An enum is the name of its value without the prefix of the type, or the
// text of the json_value option. A time is RFC 3339. A google.protobuf.Struct, Value or
// ListValue is the JSON that it represents. Integers are numbers, also with 64 bits, and
// bytes are base64. A field that is facade_only or excluded is not written, and a key
// with its name counts as unknown.
//
// # Null and unset
//
// Null and unset mean the same: null in the input leaves a field unset, and an unset
// field is null in a response and absent in a request. An unspecified enum is unset. A
// field without presence is unset if it is zero, except for a bool or number in a
// response, which cannot be null. An empty list is [] in a response, and an empty map is
// {}. Null is not valid as an element of a list or map.
//
// # Strict and lenient
//
// Requests of clients are read strictly ([Codec.UnmarshalRequest]): an invalid value is
// an error. Diga's responses are read leniently ([Codec.UnmarshalResponse]): an invalid
// value leaves its field unset, is left out of its list, map or Struct, and becomes null
// in a ListValue. It is reported as drift. A Struct with too many values is left unset as
// a whole. Both accept only valid JSON (RFC 8259).
//
// # Verbatim JSON
//
// A field with the option json_of contains the JSON of another field, a Struct, Value or
// ListValue, for values that the other field cannot represent. When a response is read,
// both fields are set: the Struct lacks what it cannot represent, and decimals with too
// many digits are rounded. When a request is read, one of them is set: only the JSON, if
// a number is not exactly a double or would be written differently. When both are set,
// the JSON is written.
//
// # Flattened oneofs
//
// A message that consists of one oneof with the option flatten is written as the object
// of its variant, with the discriminator first. The discriminator's value is the
// variant's field name in upper case. If no variant is set, a response is an object with
// only the discriminator, which is null, and a request is an error.
//
// # Update masks
//
// A facade_only google.protobuf.FieldMask named update_mask (AIP-134) selects the keys of
// a request. Reading a request adds each field whose key is present, even with null.
// Writing a request writes the selected fields: an unset or empty one as null, except for
// a bool or number without presence. The path "*" selects all fields. Without paths, all
// set fields are written.
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

// MaxDepth is the maximum nesting depth of objects and arrays in a message. A value that
// is skipped may be nested deeper.
const MaxDepth = 100

// MaxValues is the maximum number of values in the Structs, lists and maps of one
// request, and in the Structs of one response. A value takes many times the memory of its
// text.
const MaxValues = 100_000

// maxFields is the maximum number of fields of a message, because [fieldSet] has a fixed
// size.
const maxFields = 128

// Codec reads and writes the messages of one type. It is safe for concurrent use.
type Codec struct {
	md     protoreflect.MessageDescriptor
	goType reflect.Type // of the generated message; may be nil
	fields []*field
	byName map[string]*field
	mask   protoreflect.FieldDescriptor // update_mask; may be nil
	flat   *flatOneof                   // nil for a message without a flattened oneof
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
	opening  byte // the opening bracket of a list, map or message
	required bool
	enum     *enumNames
	msg      *Codec
	mapValue *field
	// json is the field with this field's JSON, for values that this field cannot
	// represent. It may be nil.
	json *field
	// oneof is the oneof that contains the field, or nil.
	oneof protoreflect.OneofDescriptor
	// nothing is the text for an unset field in a response. nulled is the text for an
	// unset field that the update_mask of a request selects.
	nothing, nulled string
}

// Option changes which fields a codec reads and writes.
type Option func(*[]string)

// Exclude excludes fields by name, for fields that an HTTP request has outside its body.
// They are not written, and a JSON key with their name counts as unknown.
func Exclude(names ...string) Option {
	return func(excluded *[]string) { *excluded = append(*excluded, names...) }
}

var cache sync.Map // protoreflect.MessageDescriptor → *Codec

// Compile returns the codec of a message type. It fails if the dialect cannot represent
// the type, or if the message has no field with an excluded name.
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

// compiler has the codecs that are being compiled, so that types may refer to themselves.
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

// bindJSON finds the fields that contain the JSON of other fields.
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

// FacadeOnly reports whether Diga does not have the field.
func FacadeOnly(fd protoreflect.FieldDescriptor) bool {
	own, _ := proto.GetExtension(fd.Options(), annotationsv1.E_Field).(*annotationsv1.FieldRules)
	return own.GetFacadeOnly()
}

// jsonOf returns the name of the field whose JSON this field contains, or an empty name.
func jsonOf(fd protoreflect.FieldDescriptor) protoreflect.Name {
	own, _ := proto.GetExtension(fd.Options(), annotationsv1.E_Field).(*annotationsv1.FieldRules)
	return protoreflect.Name(own.GetJsonOf())
}

func isRequired(fd protoreflect.FieldDescriptor) bool {
	behavior, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return slices.Contains(behavior, annotations.FieldBehavior_REQUIRED)
}
