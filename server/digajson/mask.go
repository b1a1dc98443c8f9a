package digajson

import (
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// fillMask sets the update_mask of a request to the fields whose keys were
// there (AIP-134).
func (c *Codec) fillMask(m protoreflect.Message, seen *fieldSet) {
	if c.mask == nil {
		return
	}
	mask := new(fieldmaskpb.FieldMask)
	for _, f := range c.fields {
		if seen.has(f) {
			mask.Paths = append(mask.Paths, f.name)
		}
	}
	m.Set(c.mask, protoreflect.ValueOfMessage(mask.ProtoReflect()))
}

// masked returns the fields that a request's update_mask names, and whether it
// names any: an empty mask means every field that is set.
func (c *Codec) masked(m protoreflect.Message) (named fieldSet, some bool, err error) {
	if c.mask == nil || !m.Has(c.mask) {
		return named, false, nil
	}
	mask, ok := m.Get(c.mask).Message().Interface().(*fieldmaskpb.FieldMask)
	if !ok {
		return named, false, nil
	}
	for _, path := range mask.GetPaths() {
		f := c.byName[path]
		if f == nil {
			return named, false, &Error{
				Path: []any{string(c.mask.Name())}, Kind: KindUnknownField,
				Message: "names a field that is not there to be updated",
			}
		}
		named.add(f)
		some = true
	}
	return named, some, nil
}
