package digajson

import (
	"reflect"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// noSlot is for a field that is only reached through protoreflect.
const noSlot = -1

// bindSlots finds the Go struct of a generated message and its fields in it.
// Setting those directly costs a fraction of protoreflect's Set, which
// allocates twice for each string.
func (c *Codec) bindSlots() {
	mt, err := protoregistry.GlobalTypes.FindMessageByName(c.md.FullName())
	if err != nil || mt.Descriptor() != c.md {
		return
	}
	t := reflect.TypeOf(mt.Zero().Interface())
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return
	}
	c.goType = t
	for i := range t.Elem().NumField() {
		sf := t.Elem().Field(i)
		if !sf.IsExported() {
			continue
		}
		for part := range strings.SplitSeq(sf.Tag.Get("protobuf"), ",") {
			name, ok := strings.CutPrefix(part, "name=")
			if f := c.byName[name]; ok && f != nil {
				f.slot = i
			}
		}
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

// slot returns a pointer to the field in the Go struct, nil where there is none.
func (t *target) slot(f *field) any {
	if f.slot == noSlot || !t.fields.IsValid() {
		return nil
	}
	return t.fields.Field(f.slot).Addr().Interface()
}

// set sets a field that is neither list nor map.
func (t *target) set(f *field, v protoreflect.Value) {
	switch p := t.slot(f).(type) {
	case *string:
		*p = v.String()
	case **string:
		s := v.String()
		*p = &s
	case *bool:
		*p = v.Bool()
	case **timestamppb.Timestamp:
		*p = v.Message().Interface().(*timestamppb.Timestamp)
	case **structpb.Struct:
		*p = v.Message().Interface().(*structpb.Struct)
	default:
		t.Set(f.fd, v)
	}
}

// entries is a map that is being read.
type entries struct {
	strings map[string]string // where the Go struct has it so
	values  protoreflect.Map
}

func (t *target) entries(f *field) entries {
	if p, ok := t.slot(f).(*map[string]string); ok {
		if *p == nil {
			*p = make(map[string]string)
		}
		return entries{strings: *p}
	}
	return entries{values: t.Mutable(f.fd).Map()}
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
