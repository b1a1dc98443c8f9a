package digajson

import (
	"strconv"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// walker walks over JSON as strictly as a decoder reads a client's, and makes no messages
// of it. It writes the normal form of what it takes, or takes only JSON that is in normal
// form. It reports only that there is something that it does not take: the decoder says
// what is wrong.
type walker struct {
	lex.Scanner
	*normalForm
	// loose means that nothing is written, and that of the normal form only the order of
	// keys matters.
	loose  bool
	depth  int
	values int
}

// fine reports whether a text is the value of a field of that shape, in a message at a
// depth. Any number will do. A text that is not reported as fine may be.
func fine(text string, s shape, depth int) bool {
	w := walker{Scanner: lex.Scanner{Data: text}, loose: true, depth: depth}
	return w.outermost(s) && w.End() == nil
}

// exact reports whether the text itself must be in normal form.
func (w *walker) exact() bool { return w.normalForm == nil && !w.loose }

// peek returns the byte that comes next, 0 at the end.
func (w *walker) peek() byte {
	if w.exact() && w.Pos < len(w.Data) {
		return w.Data[w.Pos]
	}
	return w.Peek()
}

// take moves over the next byte if it is c.
func (w *walker) take(c byte) bool {
	if w.peek() != c {
		return false
	}
	w.Pos++
	return true
}

// outermost walks over the one value of a field of that shape.
func (w *walker) outermost(s shape) bool {
	switch s {
	case shapeStruct:
		return w.peek() == '{' && w.object()
	case shapeList:
		return w.peek() == '[' && w.list()
	default:
		return w.value()
	}
}

func (w *walker) value() bool {
	if w.values++; w.values > MaxValues {
		return false
	}
	switch w.peek() {
	case '{':
		return w.object()
	case '[':
		return w.list()
	case '"':
		_, ok := w.text()
		return ok
	case 't':
		return w.word("true")
	case 'f':
		return w.word("false")
	case 'n':
		return w.word("null")
	default:
		return w.number()
	}
}

// enter moves over a bracket, where one more object or array may be open.
func (w *walker) enter() bool {
	w.depth++
	w.Pos++
	return w.depth <= MaxDepth
}

// object walks over an object. If nothing is written, its keys must be in order.
func (w *walker) object() bool {
	if !w.enter() {
		return false
	}
	first := w.openObject()
	before := ""
	for i := 0; i > 0 || !w.take('}'); i++ {
		w.beginMember(first)
		if w.peek() != '"' {
			return false
		}
		key, ok := w.text()
		if !ok || w.normalForm == nil && i > 0 && key <= before || !w.take(':') {
			return false
		}
		w.endKey(key)
		if !w.value() {
			return false
		}
		before = key
		if w.take('}') {
			break
		}
		if !w.take(',') {
			return false
		}
	}
	w.depth--
	return w.closeObject(first)
}

func (w *walker) list() bool {
	if !w.enter() {
		return false
	}
	w.write("[")
	for i := 0; i > 0 || !w.take(']'); i++ {
		if i > 0 {
			w.write(",")
		}
		if !w.value() {
			return false
		}
		if w.take(']') {
			break
		}
		if !w.take(',') {
			return false
		}
	}
	w.write("]")
	w.depth--
	return true
}

// text walks over a string and returns what it means.
func (w *walker) text() (_ string, ok bool) {
	start := w.Pos
	t, err := w.Str()
	if err != nil || !t.Valid {
		return "", false
	}
	if !t.Escaped {
		w.write(w.Data[start:w.Pos])
		return t.Raw, true
	}
	text := t.String()
	switch {
	case w.normalForm != nil:
		w.out, ok = lex.AppendString(w.out, text)
	case w.loose:
		ok = true
	default:
		var form []byte
		form, ok = lex.AppendString(nil, text)
		ok = ok && string(form) == w.Data[start:w.Pos]
	}
	return text, ok
}

func (w *walker) word(word string) bool {
	w.write(word)
	return w.Literal(word) == nil
}

func (w *walker) number() bool {
	raw, integer, err := w.Number()
	if err != nil || w.Pos == len(w.Data) {
		return false
	}
	if w.loose || integer && len(raw) <= maxShort {
		w.write(raw)
		return true
	}
	n, err := strconv.ParseFloat(raw, 64)
	if err != nil || !held(raw, n, integer) {
		return false
	}
	form, err := appendFloat(make([]byte, 0, 32), n, 64)
	w.write(string(form))
	return err == nil && (w.normalForm != nil || string(form) == raw)
}
