package digajson

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
	"github.com/digate/digate/server/digajson/internal/lex"
)

// flatOneof is a oneof whose message has, on the wire, the form of the variant that is
// set.
type flatOneof struct {
	discriminator string
	variants      []flatVariant
	allowed       string
}

type flatVariant struct {
	tag   string // the discriminator's value
	fd    protoreflect.FieldDescriptor
	codec *Codec
}

// compileFlat reads the flatten option of a message's oneof. Such a message cannot have
// other fields, because its object is that of the variant.
func (k compiler) compileFlat(c *Codec) error {
	od, discriminator := Flattened(c.md)
	if od == nil {
		return nil
	}
	if od.Fields().Len() != c.md.Fields().Len() {
		return fmt.Errorf("%s: a message with a flattened oneof can have no other field", c.md.FullName())
	}
	flat := &flatOneof{discriminator: discriminator}
	var tags []string
	for i := range od.Fields().Len() {
		fd := od.Fields().Get(i)
		if fd.Message() == nil {
			return fmt.Errorf("%s: a variant of a flattened oneof must be a message", fd.FullName())
		}
		codec, err := k.compile(fd.Message(), nil)
		if err != nil {
			return err
		}
		if codec.flat != nil {
			return fmt.Errorf("%s: a variant of a flattened oneof cannot be flattened itself", fd.FullName())
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
	return nil
}

// Flattened returns the flattened oneof of a message, and the name of its discriminator.
// It returns nil if the message has none.
func Flattened(md protoreflect.MessageDescriptor) (oneof protoreflect.OneofDescriptor, discriminator string) {
	for i := range md.Oneofs().Len() {
		od := md.Oneofs().Get(i)
		if own, _ := proto.GetExtension(od.Options(), annotationsv1.E_Oneof).(*annotationsv1.OneofRules); own.GetFlatten() != "" {
			return od, own.GetFlatten()
		}
	}
	return nil, ""
}

// decodeFlat reads an object twice: first to find the discriminator, which may be
// anywhere in it, and then to decode the variant.
func (c *Codec) decodeFlat(d *decoder, m protoreflect.Message) error {
	start := d.Pos
	name := c.flat.discriminator
	var v *flatVariant
	seen, given := false, false
	err := d.members(func(key lex.Text) error {
		if !key.Is(name) {
			_, err := d.Skip()
			return err
		}
		if seen && d.strict {
			return d.duplicate(name)
		}
		if seen {
			d.noteAt(name, KindDuplicate)
		}
		seen = true
		if null, err := d.Null(); null || err != nil {
			return err
		}
		given = true
		if d.Peek() != '"' {
			_, err := d.Skip()
			return err
		}
		t, err := d.Str()
		if err == nil {
			v = c.flat.variant(t)
		}
		return err
	})
	// An incomplete response may have named its variant before its end.
	if err != nil && (d.strict || v == nil) {
		return err
	}
	if v == nil {
		kind := kindMissing
		if given {
			kind = kindDiscriminator
		}
		if d.strict {
			return &Error{Path: []any{name}, Kind: kind, Message: "must be one of " + c.flat.allowed, Offset: d.Pos}
		}
		d.noteAt(name, kind)
		return nil
	}
	d.Pos = start
	return v.codec.decodeFields(d, m.Mutable(v.fd).Message().Interface(), name)
}

func (f *flatOneof) variant(tag lex.Text) *flatVariant {
	if !tag.Valid {
		return nil
	}
	for i := range f.variants {
		if v := &f.variants[i]; tag.Is(v.tag) {
			return v
		}
	}
	return nil
}

// flat appends the variant of a message.
func (e *encoder) flat(dst []byte, flat *flatOneof, m protoreflect.Message) ([]byte, error) {
	dst = append(dst, `{"`...)
	dst = append(dst, flat.discriminator...)
	dst = append(dst, `":`...)
	for i := range flat.variants {
		v := &flat.variants[i]
		if !m.Has(v.fd) {
			continue
		}
		dst = append(dst, '"')
		dst = append(dst, v.tag...)
		dst = append(dst, '"')
		dst, err := e.fields(dst, v.codec, m.Get(v.fd).Message().Interface(), true)
		if err != nil {
			return dst, within(err, string(v.fd.Name()))
		}
		return append(dst, '}'), nil
	}
	if !e.response {
		return dst, &Error{Kind: kindMissing, Message: "must be one of " + flat.allowed}
	}
	return append(dst, "null}"...), nil
}
