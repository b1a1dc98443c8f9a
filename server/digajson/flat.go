package digajson

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
)

// flatOneof is a message that is, on the wire, one of the messages of its only
// oneof.
type flatOneof struct {
	oneof         protoreflect.OneofDescriptor
	discriminator string
	variants      []flatVariant
	allowed       string
}

type flatVariant struct {
	tag   string // the discriminator's value
	fd    protoreflect.FieldDescriptor
	codec *Codec
}

// compileFlat reads the flatten option of a message's oneof. Such a message may
// have nothing else: its object is its variant's.
func (k compiler) compileFlat(c *Codec) error {
	oneofs := c.md.Oneofs()
	for i := range oneofs.Len() {
		od := oneofs.Get(i)
		own, _ := proto.GetExtension(od.Options(), annotationsv1.E_Oneof).(*annotationsv1.OneofRules)
		if own.GetFlatten() == "" {
			continue
		}
		if od.Fields().Len() != c.md.Fields().Len() {
			return fmt.Errorf("%s: a message with a flattened oneof can have no other field", c.md.FullName())
		}
		flat := &flatOneof{oneof: od, discriminator: own.GetFlatten()}
		var tags []string
		for j := range od.Fields().Len() {
			fd := od.Fields().Get(j)
			if fd.Message() == nil {
				return fmt.Errorf("%s: a variant of a flattened oneof must be a message", fd.FullName())
			}
			codec, err := k.compile(fd.Message(), nil)
			if err != nil {
				return err
			}
			if codec.byName[flat.discriminator] != nil {
				return fmt.Errorf("%s: has a field named as the discriminator", fd.Message().FullName())
			}
			tag := strings.ToUpper(string(fd.Name()))
			tags = append(tags, tag)
			flat.variants = append(flat.variants, flatVariant{tag, fd, codec})
		}
		flat.allowed = strings.Join(tags, ", ")
		c.flat = flat
	}
	return nil
}

// decodeFlat reads an object twice: for the discriminator, which may stand
// anywhere in it, and then for its variant.
func (c *Codec) decodeFlat(d *decoder, m protoreflect.Message) error {
	start := d.pos
	tag, found := "", false
	err := d.members(func(key text) error {
		if key.string() != c.flat.discriminator || d.peek() != '"' {
			_, err := d.skip()
			return err
		}
		t, err := d.str()
		tag, found = t.string(), err == nil && t.valid
		return err
	})
	// An answer that breaks off may still name its variant before.
	if err != nil && (d.strict || !found) {
		return err
	}
	for i := range c.flat.variants {
		if v := &c.flat.variants[i]; found && v.tag == tag {
			d.pos = start
			return v.codec.decodeFields(d, m.Mutable(v.fd).Message(), c.flat.discriminator)
		}
	}
	kind := KindDiscriminator
	if !found {
		kind = KindMissing
	}
	d.path = append(d.path, c.flat.discriminator)
	defer func() { d.path = d.path[:len(d.path)-1] }()
	return within(d.refuse(kind, "must be one of "+c.flat.allowed), c.flat.discriminator)
}
