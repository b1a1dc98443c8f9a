package digajson

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson/internal/lex"
	"github.com/digate/digate/server/exchange"
)

// UnmarshalRequest reads a client's JSON, which must be exactly one object, into
// an empty message. Its error is an [Error] that names the place: invalid
// JSON or UTF-8, a duplicate key, a wrong type, a value out of range, an integer
// that a double cannot hold. A key that the message does not know, or that is
// facade-only or excluded, is ignored with whatever valid JSON it holds.
//
// Where the message has an update_mask, it is filled with the fields whose keys
// are present, null or not.
func (c *Codec) UnmarshalRequest(data []byte, m proto.Message) error {
	d := decoder{Scanner: lex.Scanner{Data: string(data)}, strict: true}
	return ofDialect(c.decode(&d, m))
}

// UnmarshalResponse reads the upstream's JSON into an empty message and returns
// the places where the JSON departs from the contract. Such a field stays unset; of
// a duplicate key the last value that fits counts. It fails for a text that is not
// one whole JSON object; the message then holds every field that was complete
// before.
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

// decoder is the state of reading one text.
type decoder struct {
	lex.Scanner
	strict bool
	depth  int
	values int  // within Structs, so far
	lost   bool // a Struct that is being read goes without something
	// verbatim means that the text of the Struct is kept if the Struct loses
	// something of it.
	verbatim bool
	// forwarded means that of a Struct with its JSON beside it, the JSON alone is set.
	forwarded bool
	checked   string // the JSON that was set so last
	// canonical means that a number is read for what it is, however it is written.
	canonical bool
	path      []string // of the schema, for drift; none in a request
	drift     []exchange.Drift
}

// enter adds a step to the path of what is read next, and leave takes it away.
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

// mustBe says, by the kind of an error, what value its place has to hold.
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

// refuse handles a value that does not fit its place, once the scanner has moved
// over it: it returns an error in a request, and notes drift in a response.
func (d *decoder) refuse(kind, message string) error {
	if d.strict {
		return &Error{Kind: kind, Message: message, Offset: d.Pos}
	}
	d.note(kind)
	return nil
}

// mismatch moves over a value of the wrong type.
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

// opens reports whether an object or array begins here and may be entered. If not,
// the value here is a mismatch.
func (d *decoder) opens(bracket byte, kind string) (bool, error) {
	if d.Peek() != bracket {
		return false, d.mismatch(kind, mustBe[kind])
	}
	if d.depth >= MaxDepth {
		return false, d.mismatch(kindDepth, tooDeep)
	}
	return true, nil
}

// decodeObject reads an object, which begins here, into m.
func (c *Codec) decodeObject(d *decoder, m proto.Message) error {
	if c.flat != nil {
		return c.decodeFlat(d, m.ProtoReflect())
	}
	return c.decodeFields(d, m, "")
}

// decodeFields reads an object's members. The discriminator is a key that was read
// before and is skipped.
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

// lookup returns the field of the key, nil where there is none. The field with
// the index next is tried first: most texts keep the contract's order.
func (c *Codec) lookup(key lex.Text, next int) *field {
	name := key.String()
	if next < len(c.fields) && c.fields[next].name == name {
		return c.fields[next]
	}
	return c.byName[name]
}

// members reads an object, from its opening brace on, and calls f at each
// member's value.
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

// elements reads an array, from its opening bracket on, and calls f at each
// element.
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

// entry returns the key of an entry of a map or Struct. A key that is no Unicode
// has no entry: its value is skipped. A key that has one already is refused in a
// request.
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

// duplicate returns the error for a key that a request has twice.
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
			// What is read before a response breaks off is kept.
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

// decodeValue reads a value that is no list, map or message of the contract's.
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
		t.Clear(f.json.fd) // of a key that is there twice, the last value counts
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

// another counts an element of a list or map of a request's message. It fails where
// that is one too many: an element takes many times the memory that its text does.
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
