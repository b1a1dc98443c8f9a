package digajson

import (
	"google.golang.org/protobuf/reflect/protoreflect"
)

// everyField is the path that selects all fields of a message (AIP-134).
const everyField = "*"

// fillMask sets the update_mask of a request to the fields whose keys were present
// (AIP-134).
func (c *Codec) fillMask(m protoreflect.Message, seen *fieldSet) {
	if c.mask == nil {
		return
	}
	mask := m.Mutable(c.mask).Message()
	paths := mask.Mutable(pathsOf(mask)).List()
	for _, f := range c.fields {
		if seen.has(f) {
			paths.Append(protoreflect.ValueOfString(f.name))
		}
	}
}

// masked returns the fields that a request's update_mask selects, and whether it has any
// paths. An empty mask selects every set field.
func (c *Codec) masked(m protoreflect.Message) (named fieldSet, some bool, err error) {
	if c.mask == nil || !m.Has(c.mask) {
		return named, false, nil
	}
	mask := m.Get(c.mask).Message()
	paths := mask.Get(pathsOf(mask)).List()
	for i := range paths.Len() {
		path := paths.Get(i).String()
		some = true
		if path == everyField {
			for _, f := range c.fields {
				named.add(f)
			}
			continue
		}
		f := c.byName[path]
		if f == nil {
			return named, false, &Error{
				Path: []any{string(c.mask.Name())}, Kind: kindUnknownField,
				Message: "names " + printable(path) + ", which is no field that can be updated",
			}
		}
		named.add(f)
	}
	return named, some, nil
}

func pathsOf(mask protoreflect.Message) protoreflect.FieldDescriptor {
	return mask.Descriptor().Fields().ByName("paths")
}
