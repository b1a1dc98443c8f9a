package digajson

import (
	"strconv"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// walker checks JSON as strictly as the decoder of a client's request, without creating
// messages. It writes the normal form of its input, or accepts only input in normal form.
// It only reports that an input is not accepted: the decoder finds the error.
type walker struct {
	lex.Scanner
	*normalForm
	// loose means that nothing is written, and that the input must only have its keys in
	// the order of the normal form.
	loose  bool
	depth  int
	values int
}

// fine reports whether a text is a valid value of a field with that shape, in a message
// at a nesting depth. Numbers may be of any size. If fine returns false, the text may
// still be valid.
func fine(text string, s shape, depth int) bool {
	w := walker{Scanner: lex.Scanner{Data: text}, loose: true, depth: depth}
	return w.outermost(s) && w.End() == nil
}

// exact reports whether the input itself must be in normal form.
func (w *walker) exact() bool { return w.normalForm == nil && !w.loose }

// peek returns the next byte, or 0 at the end.
func (w *walker) peek() byte {
	if w.exact() && w.Pos < len(w.Data) {
		return w.Data[w.Pos]
	}
	return w.Peek()
}

// take moves past the next byte if it is c.
func (w *walker) take(c byte) bool {
	if w.peek() != c {
		return false
	}
	w.Pos++
	return true
}

// outermost checks the single value of a field with that shape.
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

// enter moves past an opening bracket, if another level of nesting is permitted.
func (w *walker) enter() bool {
	w.depth++
	w.Pos++
	return w.depth <= MaxDepth
}

// object checks an object. If nothing is written, its keys must be in order.
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

// text checks a string and returns its meaning.
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
