package client_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// A message of the server's is the same bytes for a caller who knows the contract for
// callers alone, and every field of it has a name there.
func TestContract_RandomMessages_AreTheSameBytesOnBothSides(t *testing.T) {
	t.Parallel()
	files := resolved(t, descriptorSet(t))
	random := rand.New(rand.NewPCG(1, 2))
	seen := 0
	var try func(messages protoreflect.MessageDescriptors)
	try = func(messages protoreflect.MessageDescriptors) {
		for i := range messages.Len() {
			ours := messages.Get(i)
			if ours.IsMapEntry() {
				continue
			}
			found, err := files.FindDescriptorByName(ours.FullName())
			if err != nil {
				t.Error(err)
				continue
			}
			theirs := found.(protoreflect.MessageDescriptor)
			for range 20 {
				for _, way := range []struct {
					name     string
					from, to protoreflect.MessageDescriptor
				}{{"response", ours, theirs}, {"request", theirs, ours}} {
					if err := cross(random, way.from, way.to); err != nil {
						t.Errorf("%s as %s: %v", ours.FullName(), way.name, err)
					}
				}
			}
			seen++
			try(ours.Messages())
		}
	}
	for _, fd := range own() {
		try(fd.Messages())
	}
	if seen < 50 {
		t.Errorf("only %d messages", seen)
	}
}

// cross sends a random message of one type to somebody who has the other.
func cross(random *rand.Rand, from, to protoreflect.MessageDescriptor) error {
	sent := dynamicpb.NewMessage(from)
	fill(random, sent, 4)
	deterministic := proto.MarshalOptions{Deterministic: true}
	raw, err := deterministic.Marshal(sent)
	if err != nil {
		return err
	}
	received := dynamicpb.NewMessage(to)
	if err := proto.Unmarshal(raw, received); err != nil {
		return err
	}
	if err := allKnown(received); err != nil {
		return err
	}
	again, err := deterministic.Marshal(received)
	if err != nil {
		return err
	}
	if !bytes.Equal(raw, again) {
		return fmt.Errorf("%x became %x", raw, again)
	}
	return nil
}

// allKnown returns an error if a message has a field that its type does not.
func allKnown(m protoreflect.Message) (err error) {
	if len(m.GetUnknown()) > 0 {
		return fmt.Errorf("%s has unknown fields: %x", m.Descriptor().FullName(), m.GetUnknown())
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil || f.IsMap() && f.MapValue().Message() == nil:
		case f.IsMap():
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { err = allKnown(v.Message()); return err == nil })
		case f.IsList():
			for i := 0; i < v.List().Len() && err == nil; i++ {
				err = allKnown(v.List().Get(i).Message())
			}
		default:
			err = allKnown(v.Message())
		}
		return err == nil
	})
	return err
}

// fill sets most fields of a message, down to a depth.
func fill(random *rand.Rand, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if random.IntN(4) == 0 || depth == 0 && f.Message() != nil {
			continue
		}
		switch {
		case f.IsMap():
			for range random.IntN(3) {
				v := m.Mutable(f).Map().NewValue()
				if f.MapValue().Message() != nil {
					fill(random, v.Message(), depth-1)
				} else {
					v = scalar(random, f.MapValue())
				}
				m.Mutable(f).Map().Set(scalar(random, f.MapKey()).MapKey(), v)
			}
		case f.IsList():
			for range random.IntN(3) {
				v := m.Mutable(f).List().NewElement()
				if f.Message() != nil {
					fill(random, v.Message(), depth-1)
				} else {
					v = scalar(random, f)
				}
				m.Mutable(f).List().Append(v)
			}
		case f.Message() != nil:
			fill(random, m.Mutable(f).Message(), depth-1)
		default:
			m.Set(f, scalar(random, f))
		}
	}
}

// scalar returns a random value for a field.
func scalar(random *rand.Rand, f protoreflect.FieldDescriptor) protoreflect.Value {
	text := fmt.Sprintf("é%x", random.Uint32())
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(random.IntN(2) == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(f.Enum().Values().Get(random.IntN(f.Enum().Values().Len())).Number())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(random.Uint32()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(random.Uint32())
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(random.Uint64()))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(random.Uint64())
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(random.Float32())
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(random.Float64())
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(text))
	default: // a string; a kind that takes none would panic
		return protoreflect.ValueOfString(text)
	}
}
