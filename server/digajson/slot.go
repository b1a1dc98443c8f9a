package digajson

import (
	"reflect"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/digate/digate/server/gostruct"
)

// slot is the place of a field in the Go struct of a generated message. Direct access
// costs a fraction of protoreflect, whose Set allocates twice for each string.
type slot struct {
	kind  slotKind
	index int
}

type slotKind uint8

const (
	slotNone slotKind = iota // the field is accessed only through protoreflect
	slotString
	slotOptionalString
	slotBool
	slotEnum
	slotMessage
	slotStrings // a map of strings
)

// bindSlots finds the Go struct of a generated message and the places of its fields.
func (c *Codec) bindSlots() {
	mt, err := protoregistry.GlobalTypes.FindMessageByName(c.md.FullName())
	if err != nil || mt.Descriptor() != c.md {
		return
	}
	t := reflect.TypeOf(mt.Zero().Interface())
	for _, gf := range gostruct.Fields(t, c.md) {
		c.goType = t
		for _, f := range c.fields {
			switch {
			case f.name == gf.Name:
				f.slot = slot{kind: f.slotKind(gf.Type), index: gf.Index}
			case f.json != nil && f.json.name == gf.Name:
				f.json.slot = slot{kind: f.json.slotKind(gf.Type), index: gf.Index}
			}
		}
	}
}

func (f *field) slotKind(t reflect.Type) slotKind {
	switch {
	case f.list:
		return slotNone
	case t == reflect.TypeFor[map[string]string]():
		return slotStrings
	case f.shape == shapeString && t == reflect.TypeFor[string]():
		return slotString
	case f.shape == shapeString && t == reflect.TypeFor[*string]():
		return slotOptionalString
	case f.shape == shapeBool && t == reflect.TypeFor[bool]():
		return slotBool
	case f.shape == shapeEnum && t.Kind() == reflect.Int32:
		return slotEnum
	case f.shape == shapeTime || f.shape == shapeStruct || f.shape == shapeMessage:
		return slotMessage
	default:
		return slotNone
	}
}

// message is a message that is being read or filled in.
type message struct {
	protoreflect.Message
	fields reflect.Value // of its Go struct; invalid if only protoreflect can be used
	room   []string      // for strings to which the Go struct has pointers
}

func (c *Codec) messageOf(m proto.Message) message {
	t := message{Message: m.ProtoReflect()}
	if p := reflect.ValueOf(m); p.Type() == c.goType {
		t.fields = p.Elem()
	}
	return t
}

// get returns the value of a field, and reports whether it is set. For a map of strings,
// use strings instead.
func (t *message) get(f *field) (v protoreflect.Value, has bool) {
	if f.slot.kind == slotNone || !t.fields.IsValid() {
		if !t.Has(f.fd) {
			return v, false
		}
		return t.Get(f.fd), true
	}
	slot := t.fields.Field(f.slot.index)
	switch f.slot.kind {
	case slotString:
		return protoreflect.ValueOfString(slot.String()), slot.Len() > 0
	case slotOptionalString:
		if slot.IsNil() {
			return v, false
		}
		return protoreflect.ValueOfString(slot.Elem().String()), true
	case slotBool:
		return protoreflect.ValueOfBool(slot.Bool()), slot.Bool()
	case slotEnum:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(slot.Int())), slot.Int() != 0
	case slotStrings:
		return v, slot.Len() > 0
	default:
		if slot.IsNil() {
			return v, false
		}
		return protoreflect.ValueOfMessage(slot.Interface().(proto.Message).ProtoReflect()), true
	}
}

// strings returns a map of strings, and reports whether the Go struct has it.
func (t *message) strings(f *field) (m map[string]string, ok bool) {
	if f.slot.kind != slotStrings || !t.fields.IsValid() {
		return nil, false
	}
	return t.fields.Field(f.slot.index).Interface().(map[string]string), true
}

// set sets a field that is neither a list nor a map.
func (t *message) set(f *field, v protoreflect.Value) {
	kind := f.slot.kind
	if kind == slotNone || !t.fields.IsValid() {
		t.Set(f.fd, v)
		return
	}
	slot := t.fields.Field(f.slot.index)
	switch kind {
	case slotString:
		slot.SetString(v.String())
	case slotOptionalString:
		if len(t.room) == 0 {
			t.room = make([]string, 4)
		}
		t.room[0] = v.String()
		*slot.Addr().Interface().(**string) = &t.room[0]
		t.room = t.room[1:]
	case slotBool:
		slot.SetBool(v.Bool())
	case slotEnum:
		slot.SetInt(int64(v.Enum()))
	default:
		slot.Set(reflect.ValueOf(v.Message().Interface()))
	}
}

// entries is a map that is being read. It is empty at first.
type entries struct {
	strings map[string]string // if the Go struct has the map
	values  protoreflect.Map
}

func (t *message) entries(f *field) entries {
	if f.slot.kind != slotStrings || !t.fields.IsValid() {
		return entries{values: t.Mutable(f.fd).Map()}
	}
	e := entries{strings: make(map[string]string)}
	t.fields.Field(f.slot.index).Set(reflect.ValueOf(e.strings))
	return e
}

func (e *entries) has(key string) bool {
	if e.strings != nil {
		_, ok := e.strings[key]
		return ok
	}
	return e.values.Has(protoreflect.ValueOfString(key).MapKey())
}

func (e *entries) set(key string, v protoreflect.Value) {
	if e.strings != nil {
		e.strings[key] = v.String()
		return
	}
	e.values.Set(protoreflect.ValueOfString(key).MapKey(), v)
}

// message adds a new message to the map under the key, and returns it.
func (e *entries) message(key string) protoreflect.Message {
	k := protoreflect.ValueOfString(key).MapKey()
	e.values.Clear(k)
	return e.values.Mutable(k).Message()
}
