package digajson

import (
	"reflect"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/digate/digate/server/gostruct"
)

// slot is where the Go struct of a generated message holds a field. Setting it
// there costs a fraction of protoreflect's Set, which allocates twice for each
// string.
type slot struct {
	kind  slotKind
	index int
}

type slotKind uint8

const (
	slotNone slotKind = iota // the field is only reached through protoreflect
	slotString
	slotOptionalString
	slotBool
	slotEnum
	slotMessage
	slotStrings // a map
)

// bindSlots finds the Go struct of a generated message and its fields in it.
func (c *Codec) bindSlots() {
	mt, err := protoregistry.GlobalTypes.FindMessageByName(c.md.FullName())
	if err != nil || mt.Descriptor() != c.md {
		return
	}
	t := reflect.TypeOf(mt.Zero().Interface())
	for _, gf := range gostruct.Fields(t, c.md) {
		c.goType = t
		if f := c.byName[gf.Name]; f != nil {
			f.slot = slot{kind: f.slotKind(gf.Type), index: gf.Index}
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
	case f.shape == shapeTime || f.shape == shapeStruct:
		return slotMessage
	default:
		return slotNone
	}
}

// target is a message that is being read.
type target struct {
	protoreflect.Message
	fields reflect.Value // of its Go struct; invalid where only Message will do
}

func (c *Codec) target(m protoreflect.Message) target {
	t := target{Message: m}
	if c.goType != nil {
		if p := reflect.ValueOf(m.Interface()); p.Type() == c.goType {
			t.fields = p.Elem()
		}
	}
	return t
}

// set sets a field that is neither list nor map.
func (t *target) set(f *field, v protoreflect.Value) {
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
		s := v.String()
		slot.Set(reflect.ValueOf(&s))
	case slotBool:
		slot.SetBool(v.Bool())
	case slotEnum:
		slot.SetInt(int64(v.Enum()))
	default:
		slot.Set(reflect.ValueOf(v.Message().Interface()))
	}
}

// entries is a map that is being read, empty at first.
type entries struct {
	strings map[string]string // where the Go struct has it so
	values  protoreflect.Map
}

func (t *target) entries(f *field) entries {
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

// message returns a new message that the map holds under the key.
func (e *entries) message(key string) protoreflect.Message {
	k := protoreflect.ValueOfString(key).MapKey()
	e.values.Clear(k)
	return e.values.Mutable(k).Message()
}
