package digajson

import (
	"encoding/base64"
	"math"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// UnmarshalRequest reads a client's JSON, which must be exactly one object, into
// an empty message. What is wrong is an [Error] that names the place: invalid
// JSON or UTF-8, a duplicate key, a wrong type, a value out of range, an integer
// that a double cannot hold. A key that the message does not know, or that is
// facade-only or excluded, is ignored with whatever it holds.
//
// Where the message has an update_mask, it is filled with the fields whose keys
// are present, null or not.
func (c *Codec) UnmarshalRequest(data []byte, m proto.Message) error {
	d := decoder{scanner: scanner{data: data}, strict: true}
	if err := c.decodeObject(&d, m.ProtoReflect()); err != nil {
		return err
	}
	return d.end()
}

// UnmarshalAnswer reads the vendor's JSON into an empty message and returns the
// drift: the places where the JSON departs from the contract, as "path: what".
// Such a field stays unset (of a duplicate key the last value counts). The error
// is for text that is no JSON object, or not a whole one; the message then holds
// what was complete before.
func (c *Codec) UnmarshalAnswer(data []byte, m proto.Message) (drift []string, err error) {
	d := decoder{scanner: scanner{data: data}}
	if err = c.decodeObject(&d, m.ProtoReflect()); err == nil {
		err = d.end()
	}
	return d.drift, err
}

// decoder is the state of reading one text.
type decoder struct {
	scanner
	strict bool
	depth  int
	path   []string // of the schema, for drift
	drift  []string
}

// refuse is for a value that is not what its place asks for, once the scanner
// has moved over it: an error in a request, drift in an answer.
func (d *decoder) refuse(kind, message string) error {
	if d.strict {
		return &Error{Kind: kind, Message: message, Offset: d.pos}
	}
	d.note(kind)
	return nil
}

// mismatch moves over a value of the wrong type.
func (d *decoder) mismatch(kind, message string) error {
	valid, err := d.skip()
	if err != nil {
		return err
	}
	if d.strict && !valid {
		return &Error{Kind: KindUnicode, Message: "must be valid Unicode", Offset: d.pos}
	}
	return d.refuse(kind, message)
}

// enter goes one level deeper, and says false where that is too deep.
func (d *decoder) enter() bool { d.depth++; return d.depth <= MaxDepth }
func (d *decoder) leave()      { d.depth-- }

const tooDeep = "is nested too deeply"

// decodeObject reads an object into m.
func (c *Codec) decodeObject(d *decoder, m protoreflect.Message) error {
	if d.peek() != '{' {
		if d.pos >= len(d.data) {
			return d.invalid()
		}
		return d.mismatch(KindObject, "must be a JSON object")
	}
	defer d.leave()
	if !d.enter() {
		return d.mismatch(KindDepth, tooDeep)
	}
	if c.flat != nil {
		return c.decodeFlat(d, m)
	}
	return c.decodeFields(d, m, "")
}

// decodeFields reads an object's members. The discriminator is a key that is
// known to be there and has been read.
func (c *Codec) decodeFields(d *decoder, m protoreflect.Message, discriminator string) error {
	var seen, filled fieldSet
	err := d.members(func(key text) error {
		f := c.byName[string(key.raw)]
		if key.escaped {
			f = c.byName[key.string()]
		}
		if f == nil {
			return d.unknown(key, discriminator)
		}
		if seen.has(f) {
			if d.strict {
				return &Error{Path: []any{f.name}, Kind: KindDuplicate, Message: "the key stands here twice", Offset: d.pos}
			}
			d.path = append(d.path, f.name)
			d.note(KindDuplicate)
			d.path = d.path[:len(d.path)-1]
			m.Clear(f.fd)
		}
		seen.add(f)
		set, err := f.decode(d, m)
		if set {
			filled.add(f)
		}
		return err
	})
	if err != nil {
		return err
	}
	if d.strict {
		c.fillMask(m, &seen)
		return nil
	}
	for _, f := range c.fields {
		if f.required && !filled.has(f) {
			d.path = append(d.path, f.name)
			if !seen.has(f) {
				d.note("missing")
			} else if !d.noted() {
				d.note("null")
			}
			d.path = d.path[:len(d.path)-1]
		}
	}
	return nil
}

// members reads an object, from its opening brace on, and calls f at each
// member's value.
func (d *decoder) members(f func(key text) error) error {
	d.pos++
	if d.take('}') {
		return nil
	}
	for {
		if d.peek() != '"' {
			return d.invalid()
		}
		key, err := d.str()
		if err != nil {
			return err
		}
		if d.strict && !key.valid {
			return &Error{Kind: KindUnicode, Message: "a key must be valid Unicode", Offset: d.pos}
		}
		if !d.take(':') {
			return d.invalid()
		}
		if err := f(key); err != nil {
			return err
		}
		switch {
		case d.take(','):
		case d.take('}'):
			return nil
		default:
			return d.invalid()
		}
	}
}

// elements reads an array, from its opening bracket on, and calls f at each
// element.
func (d *decoder) elements(f func(i int) error) error {
	d.pos++
	if d.take(']') {
		return nil
	}
	for i := 0; ; i++ {
		if err := f(i); err != nil {
			return err
		}
		switch {
		case d.take(','):
		case d.take(']'):
			return nil
		default:
			return d.invalid()
		}
	}
}

func (d *decoder) unknown(key text, discriminator string) error {
	valid, err := d.skip()
	if err != nil {
		return err
	}
	if d.strict {
		if !valid {
			return &Error{Path: []any{key.string()}, Kind: KindUnicode, Message: "must be valid Unicode", Offset: d.pos}
		}
		return nil
	}
	if discriminator == "" || string(key.raw) != discriminator {
		d.path = append(d.path, cleanName(key))
		d.note(KindUnknownField)
		d.path = d.path[:len(d.path)-1]
	}
	return nil
}

// decode reads a field's value, and says whether it was set.
func (f *field) decode(d *decoder, m protoreflect.Message) (set bool, err error) {
	if null, err := d.null(); null || err != nil {
		return false, err
	}
	if d.strict {
		if od := f.fd.ContainingOneof(); od != nil && !od.IsSynthetic() && m.WhichOneof(od) != nil {
			return false, &Error{Path: []any{f.name}, Kind: KindOneof, Message: "only one of " + oneofNames(od) + " may be set", Offset: d.pos}
		}
	} else {
		d.path = append(d.path, f.name)
		defer func() { d.path = d.path[:len(d.path)-1] }()
	}
	switch {
	case f.list:
		set, err = f.decodeList(d, m)
	case f.mapped:
		set, err = f.decodeMap(d, m)
	case f.shape == shapeMessage:
		if d.peek() != '{' {
			err = d.mismatch(KindDict, "must be a JSON object")
			break
		}
		// What is read before an answer breaks off is kept.
		err, set = f.msg.decodeObject(d, m.Mutable(f.fd).Message()), true
	default:
		var v protoreflect.Value
		if v, set, err = f.value(d, m); set && err == nil {
			m.Set(f.fd, v)
		}
	}
	if err != nil {
		return false, within(err, f.name)
	}
	return set, nil
}

func oneofNames(od protoreflect.OneofDescriptor) string {
	s := ""
	for i := range od.Fields().Len() {
		if i > 0 {
			s += ", "
		}
		s += string(od.Fields().Get(i).Name())
	}
	return s
}

func (f *field) decodeList(d *decoder, m protoreflect.Message) (set bool, err error) {
	if d.peek() != '[' {
		return false, d.mismatch(KindList, "must be a JSON array")
	}
	defer d.leave()
	if !d.enter() {
		return false, d.mismatch(KindDepth, tooDeep)
	}
	list := m.Mutable(f.fd).List()
	err = d.elements(func(i int) error {
		if f.shape == shapeMessage {
			if d.peek() != '{' {
				return within(d.mismatch(KindDict, "must be a JSON object"), i)
			}
			return within(f.msg.decodeObject(d, list.AppendMutable().Message()), i)
		}
		v, ok, err := f.value(d, m)
		if err == nil && ok {
			list.Append(v)
		}
		return within(err, i)
	})
	return true, err
}

func (f *field) decodeMap(d *decoder, m protoreflect.Message) (set bool, err error) {
	if d.peek() != '{' {
		return false, d.mismatch(KindDict, "must be a JSON object")
	}
	defer d.leave()
	if !d.enter() {
		return false, d.mismatch(KindDepth, tooDeep)
	}
	if !d.strict {
		d.path = append(d.path, "*") // keys are data, not names
		defer func() { d.path = d.path[:len(d.path)-1] }()
	}
	entries := m.Mutable(f.fd).Map()
	err = d.members(func(key text) error {
		if !key.valid {
			_, err := d.skip()
			d.note(KindUnicode)
			return err
		}
		k := protoreflect.ValueOfString(key.string()).MapKey()
		if entries.Has(k) {
			if d.strict {
				return &Error{Path: []any{k.String()}, Kind: KindDuplicate, Message: "the key stands here twice", Offset: d.pos}
			}
			d.note(KindDuplicate)
		}
		if f.mapValue.shape == shapeMessage {
			if d.peek() != '{' {
				return within(d.mismatch(KindDict, "must be a JSON object"), k.String())
			}
			return within(f.mapValue.msg.decodeObject(d, entries.Mutable(k).Message()), k.String())
		}
		v, ok, err := f.mapValue.value(d, m)
		if err == nil && ok {
			entries.Set(k, v)
		}
		return within(err, k.String())
	})
	return true, err
}

// value reads one value that is no message of the contract's. It says false
// where there is none to set.
func (f *field) value(d *decoder, m protoreflect.Message) (v protoreflect.Value, set bool, err error) {
	c := d.peek()
	switch f.shape {
	case shapeString, shapeBytes, shapeTime, shapeEnum:
		if c != '"' {
			return v, false, d.mismatch(f.stringKind(), f.stringMessage())
		}
		t, err := d.str()
		if err != nil {
			return v, false, err
		}
		if !t.valid {
			return v, false, d.refuse(KindUnicode, "must be valid Unicode")
		}
		return f.fromText(d, t)
	case shapeBool:
		switch c {
		case 't':
			return protoreflect.ValueOfBool(true), true, d.literal("true")
		case 'f':
			return protoreflect.ValueOfBool(false), true, d.literal("false")
		}
		return v, false, d.mismatch(KindBool, "must be true or false")
	case shapeInt, shapeUint, shapeFloat:
		if c != '-' && (c < '0' || c > '9') {
			kind, message := KindInt, "must be an integer"
			if f.shape == shapeFloat {
				kind, message = KindFloat, "must be a number"
			}
			return v, false, d.mismatch(kind, message)
		}
		raw, integer, err := d.number()
		if err != nil {
			return v, false, err
		}
		return f.fromNumber(d, raw, integer)
	default:
		return f.wellKnown(d, m)
	}
}

func (f *field) stringKind() string {
	switch f.shape {
	case shapeTime:
		return KindTime
	case shapeEnum:
		return KindEnum
	default:
		return KindString
	}
}

func (f *field) stringMessage() string {
	switch f.shape {
	case shapeTime:
		return "must be a time as in RFC 3339"
	case shapeEnum:
		return "must be one of " + f.enum.allowed
	default:
		return "must be a string"
	}
}

func (f *field) fromText(d *decoder, t text) (v protoreflect.Value, set bool, err error) {
	switch f.shape {
	case shapeEnum:
		n, ok := f.enum.number[string(t.raw)]
		if t.escaped {
			n, ok = f.enum.number[t.string()]
		}
		if !ok {
			return v, false, d.refuse(KindEnum, f.stringMessage())
		}
		return protoreflect.ValueOfEnum(n), true, nil
	case shapeTime:
		at, ok := parseTime(t.string())
		if !ok {
			return v, false, d.refuse(KindTime, f.stringMessage())
		}
		return protoreflect.ValueOfMessage(at.ProtoReflect()), true, nil
	case shapeBytes:
		b, err := base64.StdEncoding.DecodeString(t.string())
		if err != nil {
			return v, false, d.refuse(KindBytes, "must be base64")
		}
		return protoreflect.ValueOfBytes(b), true, nil
	default:
		return protoreflect.ValueOfString(t.string()), true, nil
	}
}

func (f *field) fromNumber(d *decoder, raw []byte, integer bool) (v protoreflect.Value, set bool, err error) {
	if f.shape == shapeFloat {
		n, err := strconv.ParseFloat(string(raw), f.bits)
		if err != nil {
			return v, false, d.refuse(KindFinite, "is out of range")
		}
		if f.bits == 32 {
			return protoreflect.ValueOfFloat32(float32(n)), true, nil
		}
		return protoreflect.ValueOfFloat64(n), true, nil
	}
	if !integer { // 1.0 and 1e2 are integers too, where a double is sure of it
		n, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || n != math.Trunc(n) || math.Abs(n) > maxExact {
			return v, false, d.refuse(KindInt, "must be an integer")
		}
		raw = strconv.AppendInt(nil, int64(n), 10)
	}
	if f.shape == shapeUint {
		n, err := strconv.ParseUint(string(raw), 10, f.bits)
		if err != nil {
			return v, false, d.refuse(KindIntRange, "is out of range")
		}
		if f.bits == 32 {
			return protoreflect.ValueOfUint32(uint32(n)), true, nil
		}
		return protoreflect.ValueOfUint64(n), true, nil
	}
	n, err := strconv.ParseInt(string(raw), 10, f.bits)
	if err != nil {
		return v, false, d.refuse(KindIntRange, "is out of range")
	}
	if f.bits == 32 {
		return protoreflect.ValueOfInt32(int32(n)), true, nil
	}
	return protoreflect.ValueOfInt64(n), true, nil
}
