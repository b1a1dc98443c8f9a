package digajson

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson/internal/lex"
	"github.com/digate/digate/server/exchange"
)

// UnmarshalRequest reads a client's JSON, which must be exactly one object, into an empty
// message. It fails for invalid JSON or UTF-8, a duplicate key, a wrong type, a value out
// of range, and an integer that a double cannot represent. Its error is an [Error] that
// names the place. A key that is unknown, facade-only or excluded is ignored, whatever
// valid JSON it has.
//
// If the message has an update_mask, UnmarshalRequest adds each field whose key is
// present, even with null.
func (c *Codec) UnmarshalRequest(data []byte, m proto.Message) error {
	d := decoder{Scanner: lex.Scanner{Data: string(data)}, strict: true}
	return ofDialect(c.decode(&d, m))
}

// UnmarshalResponse reads Diga's JSON into an empty message, and returns the deviations
// from the contract. A field with an invalid value stays unset. Of a duplicate key, the
// last valid value counts. UnmarshalResponse fails if the text is not exactly one
// complete JSON object; the message then has the fields that were complete.
func (c *Codec) UnmarshalResponse(data []byte, m proto.Message) (drift []exchange.Drift, err error) {
	d := decoder{Scanner: lex.Scanner{Data: string(data)}, path: make([]string, 0, 8)}
	err = c.decode(&d, m)
	return d.drift, ofDialect(err)
}

func (c *Codec) decode(d *decoder, m proto.Message) error {
	switch {
	case d.Peek() == '{':
		if err := c.decodeObject(d, m); err != nil {
			return err
		}
		return d.End()
	case d.Pos >= len(d.Data):
		return d.Invalid()
	default:
		if _, err := d.Skip(); err != nil {
			return err
		}
		return &Error{Kind: kindObject, Message: mustBe[kindDict]}
	}
}

// decoder is the state of decoding one text.
type decoder struct {
	lex.Scanner
	strict bool
	depth  int
	values int  // number of values in Structs so far
	lost   bool // the current Struct lost a part of its value
	// verbatim means that the text of the Struct is kept if the Struct cannot represent
	// all of it.
	verbatim bool
	// forwarded means that a Struct stays unset if there is a field for its JSON, and
	// only that field is set.
	forwarded bool
	checked   string // the last JSON set in this way
	// canonical means that the spelling of numbers does not matter.
	canonical bool
	path      []string // of the schema, for drift; empty in a request
	drift     []exchange.Drift
}

// enter adds a step to the path of the next value, and leave removes it.
func (d *decoder) enter(step string) {
	if !d.strict {
		d.path = append(d.path, step)
	}
}

func (d *decoder) leave() {
	if !d.strict {
		d.path = d.path[:len(d.path)-1]
	}
}

const (
	tooDeep = "is nested too deeply"
	twice   = "the key is there twice"

	oneTooMany = "is one value too many"
)

// mustBe describes the required value for each kind of error.
var mustBe = map[string]string{
	kindDict:   "must be a JSON object",
	kindList:   "must be a JSON array",
	kindString: "must be a string",
	kindTime:   "must be a time as in RFC 3339",
	kindBytes:  "must be base64",
	kindBool:   "must be true or false",
	kindInt:    "must be an integer",
	kindFloat:  "must be a number",
}

// refuse handles an invalid value after the scanner has moved past it: it returns an
// error in a request, and records drift in a response.
func (d *decoder) refuse(kind, message string) error {
	if d.strict {
		return &Error{Kind: kind, Message: message, Offset: d.Pos}
	}
	d.note(kind)
	return nil
}

// mismatch skips a value of the wrong type.
func (d *decoder) mismatch(kind, message string) error {
	valid, err := d.Skip()
	if err != nil {
		return err
	}
	if d.strict && !valid {
		return &Error{Kind: kindUnicode, Message: notUnicode, Offset: d.Pos}
	}
	return d.refuse(kind, message)
}

// opens reports whether an object or array begins here and may be nested here. If not,
// the value is a mismatch.
func (d *decoder) opens(bracket byte, kind string) (bool, error) {
	if d.Peek() != bracket {
		return false, d.mismatch(kind, mustBe[kind])
	}
	if d.depth >= MaxDepth {
		return false, d.mismatch(kindDepth, tooDeep)
	}
	return true, nil
}

// decodeObject reads the object that begins here into m.
func (c *Codec) decodeObject(d *decoder, m proto.Message) error {
	if c.flat != nil {
		return c.decodeFlat(d, m.ProtoReflect())
	}
	return c.decodeFields(d, m, "")
}

// decodeFields reads an object's members. It skips the discriminator, which was read
// before.
func (c *Codec) decodeFields(d *decoder, m proto.Message, discriminator string) error {
	var seen, filled fieldSet
	t := c.messageOf(m)
	next := 0
	err := d.members(func(key lex.Text) error {
		f := c.lookup(key, next)
		if f == nil {
			return d.unknown(key, discriminator)
		}
		next = f.index + 1
		again := seen.has(f)
		if again && d.strict {
			return d.duplicate(f.name)
		}
		if again {
			d.noteAt(f.name, KindDuplicate)
			if f.opening != 0 && d.Peek() == f.opening {
				t.Clear(f.fd)
			}
		}
		seen.add(f)
		set, err := f.decode(d, &t)
		if set {
			filled.add(f)
		}
		return err
	})
	if err != nil {
		return err
	}
	if d.strict {
		c.fillMask(t.Message, &seen)
		return nil
	}
	for _, f := range c.fields {
		if f.required && !filled.has(f) {
			d.enter(f.name)
			if !seen.has(f) {
				d.note("missing")
			} else if !d.noted() {
				d.note("null")
			}
			d.leave()
		}
	}
	return nil
}

// lookup returns the field with the key, or nil. It tries the field with the index next
// first, because most texts have the contract's order.
func (c *Codec) lookup(key lex.Text, next int) *field {
	name := key.String()
	if next < len(c.fields) && c.fields[next].name == name {
		return c.fields[next]
	}
	return c.byName[name]
}

// members reads an object from its opening brace, and calls f at each member's value.
func (d *decoder) members(f func(key lex.Text) error) error {
	d.depth++
	defer func() { d.depth-- }()
	d.Pos++
	if d.Take('}') {
		return nil
	}
	for {
		if d.Peek() != '"' {
			return d.Invalid()
		}
		key, err := d.Str()
		if err != nil {
			return err
		}
		if d.strict && !key.Valid {
			return &Error{Kind: kindUnicode, Message: "a key " + notUnicode, Offset: d.Pos}
		}
		if !d.Take(':') {
			return d.Invalid()
		}
		if err := f(key); err != nil {
			return err
		}
		switch {
		case d.Take(','):
		case d.Take('}'):
			return nil
		default:
			return d.Invalid()
		}
	}
}

// elements reads an array from its opening bracket, and calls f at each element.
func (d *decoder) elements(f func(i int) error) error {
	d.depth++
	defer func() { d.depth-- }()
	d.Pos++
	if d.Take(']') {
		return nil
	}
	for i := 0; ; i++ {
		if err := f(i); err != nil {
			return err
		}
		switch {
		case d.Take(','):
		case d.Take(']'):
			return nil
		default:
			return d.Invalid()
		}
	}
}

// entry returns the key of an entry in a map or Struct. If the key is not valid Unicode,
// entry skips its value and returns false. In a request, a duplicate key is an error.
func (d *decoder) entry(key lex.Text, has func(string) bool) (k string, ok bool, err error) {
	if !key.Valid {
		d.note(kindUnicode)
		_, err := d.Skip()
		return "", false, err
	}
	k = key.String()
	if has(k) {
		if d.strict {
			return "", false, d.duplicate(k)
		}
		d.note(KindDuplicate)
	}
	return k, true, nil
}

// duplicate returns the error for a duplicate key in a request.
func (d *decoder) duplicate(key string) error {
	return &Error{Path: []any{key}, Kind: KindDuplicate, Message: twice, Offset: d.Pos}
}

func (d *decoder) unknown(key lex.Text, discriminator string) error {
	valid, err := d.Skip()
	if err != nil {
		return err
	}
	if d.strict && !valid {
		return &Error{Path: []any{key.String()}, Kind: kindUnicode, Message: notUnicode, Offset: d.Pos}
	}
	if !d.strict && (discriminator == "" || !key.Is(discriminator)) {
		d.noteAt(driftName(key), kindUnknownField)
	}
	return nil
}

// decode reads a field's value and reports whether the field was set.
func (f *field) decode(d *decoder, t *message) (set bool, err error) {
	if null, err := d.Null(); null || err != nil {
		return false, err
	}
	d.enter(f.name)
	if f.oneof != nil {
		if other := t.WhichOneof(f.oneof); other != nil && other != f.fd {
			err = d.refuse(kindOneof, "only one of "+oneofNames(f.oneof)+" may be set")
		}
	}
	switch {
	case err != nil:
	case f.list:
		set, err = f.decodeList(d, t)
	case f.mapped:
		set, err = f.decodeMap(d, t)
	case f.shape == shapeMessage:
		if set, err = d.opens('{', kindDict); set {
			// If a response is incomplete, what was read is kept.
			err = f.msg.decodeObject(d, t.Mutable(f.fd).Message().Interface())
		}
	default:
		set, err = f.decodeValue(d, t)
	}
	d.leave()
	if err != nil {
		return false, within(err, f.name)
	}
	return set, nil
}

// decodeValue reads a value that is not a list, a map or a message of the contract.
func (f *field) decodeValue(d *decoder, t *message) (set bool, err error) {
	d.Peek()
	if d.forwarded && f.json != nil && f.shape == shapeStruct && f.forward(d, t) {
		return true, nil
	}
	start := d.Pos
	before := len(d.drift)
	d.lost, d.verbatim = false, f.json != nil
	v, set, err := f.value(d)
	if err != nil {
		return set, err
	}
	if d.strict && d.lost {
		t.set(f.json, protoreflect.ValueOfString(d.Data[start:d.Pos]))
		return true, nil
	}
	if set {
		t.set(f, v)
	}
	if f.json == nil || d.strict {
		return set, nil
	}
	if set && !d.lost {
		t.Clear(f.json.fd) // of a duplicate key, the last value counts
		return set, nil
	}
	t.set(f.json, protoreflect.ValueOfString(strings.ToValidUTF8(d.Data[start:d.Pos], "\ufffd")))
	for i := before; i < len(d.drift); i++ {
		d.drift[i].Kept = d.drift[i].Kind == kindInexact || d.drift[i].Kind == kindFinite
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

// another counts an element of a list or map in a request. It fails if there are too
// many: an element takes many times the memory of its text.
func (d *decoder) another() error {
	if !d.strict {
		return nil
	}
	if d.values++; d.values > MaxValues {
		return d.mismatch(kindTooMany, oneTooMany)
	}
	return nil
}

func (f *field) decodeList(d *decoder, t *message) (set bool, err error) {
	if ok, err := d.opens('[', kindList); !ok {
		return false, err
	}
	list := t.Mutable(f.fd).List()
	err = d.elements(func(i int) error {
		if err := d.another(); err != nil {
			return within(err, i)
		}
		if f.shape == shapeMessage {
			ok, err := d.opens('{', kindDict)
			if ok {
				err = f.msg.decodeObject(d, list.AppendMutable().Message().Interface())
			}
			if err != nil {
				return within(err, i)
			}
			return nil
		}
		v, ok, err := f.value(d)
		if err != nil {
			return within(err, i)
		}
		if ok {
			list.Append(v)
		}
		return nil
	})
	return true, err
}

func (f *field) decodeMap(d *decoder, t *message) (set bool, err error) {
	if ok, err := d.opens('{', kindDict); !ok {
		return false, err
	}
	d.enter("*") // keys are data, not names
	to := t.entries(f)
	err = d.members(func(key lex.Text) error {
		k, ok, err := d.entry(key, to.has)
		if !ok {
			return err
		}
		if err := d.another(); err != nil {
			return within(err, k)
		}
		if f.mapValue.shape == shapeMessage {
			ok, err := d.opens('{', kindDict)
			if ok {
				err = f.mapValue.msg.decodeObject(d, to.message(k).Interface())
			}
			if err != nil {
				return within(err, k)
			}
			return nil
		}
		v, ok, err := f.mapValue.value(d)
		if err != nil {
			return within(err, k)
		}
		if ok {
			to.set(k, v)
		}
		return nil
	})
	d.leave()
	return true, err
}
