package digajson

import (
	"strconv"
	"unsafe"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// UnmarshalForwarded reads a client's JSON as [Codec.UnmarshalRequest] does, for a
// message whose values nobody needs but Diga: a field that has its JSON beside it gets
// the JSON alone, and no Struct. [Codec.AppendRequest] writes the same bytes for either
// message. The message shares the memory of data, which must not change any more.
func (c *Codec) UnmarshalForwarded(data []byte, m proto.Message) error {
	text := unsafe.String(unsafe.SliceData(data), len(data)) //nolint:gosec // a text may have a megabyte
	d := decoder{Scanner: lex.Scanner{Data: text}, strict: true, forwarded: true}
	return ofDialect(c.decode(&d, m))
}

// forward reads the value of a field, which begins here, as the JSON beside it. It
// returns false, and reads nothing, where there is something wrong with the value, or
// where its text has to be kept as it is.
func (f *field) forward(d *decoder, t *message) bool {
	n := normaliser{Scanner: d.Scanner, normalForm: newNormalForm(), depth: d.depth, values: d.values}
	defer n.release()
	if !n.outermost(f.shape) {
		return false
	}
	text := d.Data[d.Pos:n.Pos]
	if string(n.out) != text {
		text = string(n.out)
	}
	d.Scanner, d.values = n.Scanner, n.values
	t.set(f.json, protoreflect.ValueOfString(text))
	return true
}

// fine reports whether a text is the value of a field of that shape, in a message at a
// depth, as strictly as a client's is read. Any number will do.
func fine(text string, s shape, depth int) bool {
	n := normaliser{Scanner: lex.Scanner{Data: text}, normalForm: newNormalForm(), depth: depth, anyNumber: true}
	defer n.release()
	return n.outermost(s) && n.End() == nil
}

// normaliser reads JSON as strictly as a decoder reads a client's. It makes no messages
// of the JSON and writes what an encoder makes of them. It reports only that something
// is wrong: the decoder says what.
type normaliser struct {
	lex.Scanner
	*normalForm
	depth  int
	values int
	// anyNumber means that a number is taken that no double brings back.
	anyNumber bool
}

// outermost reads the one value of a field of that shape.
func (n *normaliser) outermost(s shape) bool {
	switch s {
	case shapeStruct:
		return n.Peek() == '{' && n.object()
	case shapeList:
		return n.Peek() == '[' && n.list()
	default:
		return n.value()
	}
}

func (n *normaliser) value() bool {
	if n.values++; n.values > MaxValues {
		return false
	}
	switch n.Peek() {
	case '{':
		return n.object()
	case '[':
		return n.list()
	case '"':
		_, ok := n.text()
		return ok
	case 't':
		return n.word("true")
	case 'f':
		return n.word("false")
	case 'n':
		return n.word("null")
	default:
		return n.number()
	}
}

// enter moves over a bracket, where one more object or array may be open.
func (n *normaliser) enter() bool {
	n.depth++
	n.Pos++
	return n.depth <= MaxDepth
}

func (n *normaliser) object() bool {
	if !n.enter() {
		return false
	}
	first := n.openObject()
	if !n.Take('}') {
		for {
			n.beginMember(first)
			if n.Peek() != '"' {
				return false
			}
			key, ok := n.text()
			if !ok || !n.Take(':') {
				return false
			}
			n.name(key)
			if !n.value() {
				return false
			}
			if !n.Take(',') {
				break
			}
		}
		if !n.Take('}') {
			return false
		}
	}
	n.depth--
	return n.closeObject(first)
}

func (n *normaliser) list() bool {
	if !n.enter() {
		return false
	}
	n.out = append(n.out, '[')
	if !n.Take(']') {
		for {
			if !n.value() {
				return false
			}
			if !n.Take(',') {
				break
			}
			n.out = append(n.out, ',')
		}
		if !n.Take(']') {
			return false
		}
	}
	n.depth--
	n.out = append(n.out, ']')
	return true
}

// text reads a string and returns what it means.
func (n *normaliser) text() (_ string, ok bool) {
	start := n.Pos
	t, err := n.Str()
	if err != nil || !t.Valid {
		return "", false
	}
	if !t.Escaped {
		n.out = append(n.out, n.Data[start:n.Pos]...)
		return t.Raw, true
	}
	text := t.String()
	n.out, ok = lex.AppendString(n.out, text)
	return text, ok
}

func (n *normaliser) word(word string) bool {
	n.out = append(n.out, word...)
	return n.Literal(word) == nil
}

func (n *normaliser) number() bool {
	raw, integer, err := n.Number()
	if err != nil || n.Pos == len(n.Data) {
		return false
	}
	if n.anyNumber || integer && len(raw) <= maxShort {
		n.out = append(n.out, raw...)
		return true
	}
	double, err := strconv.ParseFloat(raw, 64)
	if err != nil || !held(raw, double, integer) {
		return false
	}
	n.out, err = appendFloat(n.out, double, 64)
	return err == nil
}
