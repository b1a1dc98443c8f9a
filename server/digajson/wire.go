package digajson

import (
	"slices"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// CheckWire checks the protobuf bytes of a request against the limits of its JSON form:
// [MaxValues] and [MaxDepth]. It reads the bytes once without decoding them, because a
// value takes many times the memory of its bytes. The error is an [Error] with the same
// text as for JSON. Invalid protobuf is left to the decoder.
//
// values is the number of values in the bytes.
func CheckWire(md protoreflect.MessageDescriptor, b []byte) (values int, err error) {
	var w wireCheck
	err = w.message(wirePlanOf(md), b, 1)
	return w.values, err
}

// maxWireDepth is one more than for JSON, because the message around the JSON body also
// counts. The encoder checks the depth exactly.
const maxWireDepth = MaxDepth + 1

// wirePlan is what CheckWire needs to know about a message type.
type wirePlan struct {
	fields map[protowire.Number]*wireField // fields that contain values
	nests  bool                            // it is an object or array in JSON
}

// wireField is a field that is a value or contains values.
type wireField struct {
	name   string
	number protowire.Number
	plan   *wirePlan // nil if nothing in the field needs checking
	counts bool      // each occurrence is a value
	list   bool      // it is an array in JSON
	named  bool      // its name is a step of the path
	index  bool      // its index is a step of the path
	keyed  bool      // the key of its entry is a step of the path
	text   bool      // it is JSON that replaces another field
	root   int       // how many values the outermost value of that JSON counts as
}

var wirePlans sync.Map // protoreflect.FullName → *wirePlan

func wirePlanOf(md protoreflect.MessageDescriptor) *wirePlan {
	if p, ok := wirePlans.Load(md.FullName()); ok {
		return p.(*wirePlan)
	}
	p := wirePlanner{}.plan(md)
	wirePlans.Store(md.FullName(), p)
	return p
}

// wirePlanner has the plans that are being made, so that types may refer to themselves.
type wirePlanner map[protoreflect.FullName]*wirePlan

func (k wirePlanner) plan(md protoreflect.MessageDescriptor) *wirePlan {
	if p := k[md.FullName()]; p != nil {
		return p
	}
	value := md.FullName() == "google.protobuf.Value"
	p := &wirePlan{fields: make(map[protowire.Number]*wireField), nests: !value && !md.IsMapEntry()}
	k[md.FullName()] = p
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		f := &wireField{name: string(fd.Name()), number: fd.Number(), named: !md.IsMapEntry()}
		switch {
		case fd.IsMap():
			f.counts, f.keyed = true, true
		case fd.IsList():
			f.counts, f.list, f.index = true, true, true
		case fd.Message() != nil:
			f.counts = fd.Message().FullName() == "google.protobuf.Value" && !md.IsMapEntry()
		case JSONOf(fd) != nil:
			f.text = true
			if JSONOf(fd).Message().FullName() == "google.protobuf.Value" {
				f.root = 1
			}
		default:
			continue
		}
		if isGoogle(md) { // a JSON value itself
			f.named, f.list = false, false
		}
		if fd.Message() != nil {
			f.plan = k.plan(fd.Message())
		}
		p.fields[f.number] = f
	}
	return p
}

// wireCheck is the check of one message.
type wireCheck struct{ values int }

func (w *wireCheck) message(p *wirePlan, b []byte, depth int) error {
	for rest := b; len(rest) > 0; {
		num, typ, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return nil
		}
		f := p.fields[num]
		if f == nil || typ != protowire.BytesType {
			m := protowire.ConsumeFieldValue(num, typ, rest[n:])
			if m < 0 {
				return nil
			}
			rest = rest[n+m:]
			continue
		}
		v, m := protowire.ConsumeBytes(rest[n:])
		if m < 0 {
			return nil
		}
		if err := w.field(f, v, depth); err != nil {
			err.Path = append(f.steps(b[:len(b)-len(rest)], v), err.Path...)
			return err
		}
		rest = rest[n+m:]
	}
	return nil
}

func (w *wireCheck) field(f *wireField, v []byte, depth int) *Error {
	if f.counts {
		if w.values++; w.values > MaxValues {
			return &Error{Kind: kindTooMany, Message: oneTooMany}
		}
	}
	if f.text {
		return w.text(f, string(v), depth)
	}
	if f.plan == nil {
		return nil
	}
	if f.list {
		depth++
	}
	if f.plan.nests {
		if depth++; depth > maxWireDepth {
			return &Error{Kind: kindDepth, Message: tooDeep}
		}
	}
	if err := w.message(f.plan, v, depth); err != nil {
		return err.(*Error)
	}
	return nil
}

// text checks the JSON that a field contains. Invalid JSON is left to the validator.
func (w *wireCheck) text(f *wireField, text string, depth int) *Error {
	s := lex.Scanner{Data: text}
	_, _ = s.Skip()
	if depth+s.Deepest > maxWireDepth {
		return &Error{Kind: kindDepth, Message: tooDeep}
	}
	if w.values += max(s.Skipped-1, 0) + f.root; w.values > MaxValues {
		return &Error{Kind: kindTooMany, Message: oneTooMany}
	}
	return nil
}

// steps returns the path from a message to this occurrence of one of its fields. before
// has the message's bytes before the occurrence.
func (f *wireField) steps(before, v []byte) []any {
	var steps []any
	if f.named {
		steps = append(steps, f.name)
	}
	if f.index {
		steps = append(steps, f.occurrences(before))
	}
	if f.keyed {
		steps = append(steps, entryKey(v))
	}
	return slices.Clip(steps)
}

// occurrences returns the number of occurrences of the field in a message.
func (f *wireField) occurrences(b []byte) int {
	count := 0
	for len(b) > 0 {
		num, _, n := protowire.ConsumeField(b)
		if n < 0 {
			break
		}
		if num == f.number {
			count++
		}
		b = b[n:]
	}
	return count
}

// entryKey returns the key of a map entry.
func entryKey(b []byte) string {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			break
		}
		if key, m := protowire.ConsumeBytes(b[n:]); num == 1 && typ == protowire.BytesType && m >= 0 {
			return string(key)
		}
		m := protowire.ConsumeFieldValue(num, typ, b[n:])
		if m < 0 {
			break
		}
		b = b[n+m:]
	}
	return ""
}
