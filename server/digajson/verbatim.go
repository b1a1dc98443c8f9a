package digajson

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// JSONOf returns the field whose JSON this field contains (option json_of), or nil.
func JSONOf(fd protoreflect.FieldDescriptor) protoreflect.FieldDescriptor {
	if of := jsonOf(fd); of != "" {
		return fd.ContainingMessage().Fields().ByName(of)
	}
	return nil
}

// CheckVerbatim validates the value of a request's json_of field. The field whose JSON it
// contains must be unset. The value must be JSON that a client could write for that
// field, but its numbers may be of any size. A value equal to checked is not validated
// again. The error is an [Error].
func CheckVerbatim(m protoreflect.Message, fd protoreflect.FieldDescriptor, checked string) error {
	if checked != "" && checked == m.Get(fd).String() && !m.Has(JSONOf(fd)) {
		return nil
	}
	return checkVerbatim(m, fd, 1)
}

// checkVerbatim is [CheckVerbatim] for a message at a nesting depth.
func checkVerbatim(m protoreflect.Message, fd protoreflect.FieldDescriptor, depth int) error {
	of, text := JSONOf(fd), m.Get(fd).String()
	shape := shapeValue
	switch of.Message().FullName() {
	case "google.protobuf.Struct":
		shape = shapeStruct
	case "google.protobuf.ListValue":
		shape = shapeList
	}
	var err error
	if m.Has(of) {
		err = &Error{Kind: kindOneof, Message: fmt.Sprintf("only one of %s and %s may be set", of.Name(), fd.Name())}
	} else if !fine(text, shape, depth) {
		err = fault(text, shape, depth)
	}
	if e, ok := errors.AsType[*Error](ofDialect(err)); ok && e.Kind == KindJSON {
		// The byte offset says more than the key.
		err = &Error{Kind: KindJSON, Message: fmt.Sprintf("%s (byte %d)", e.Message, min(e.Offset, len(text))), Offset: e.Offset}
	}
	if err == nil {
		return nil
	}
	return within(err, string(fd.Name()))
}

// fault returns the error of a text as the value of a field with that shape, in a message
// at a nesting depth. It returns nil if the text is valid.
func fault(text string, s shape, depth int) (err error) {
	d := newValueDecoder(text, depth)
	d.verbatim = true
	switch s {
	case shapeStruct:
		err = d.outermost('{', kindDict)
	case shapeList:
		err = d.outermost('[', kindList)
	default:
		_, err = d.whole()
	}
	return err
}

// outermost reads the single value of the text, which must begin with the bracket. This
// value does not count towards MaxValues.
func (d *decoder) outermost(bracket byte, kind string) error {
	if first := d.Peek(); first != bracket && d.Pos < len(d.Data) {
		return d.mismatch(kind, mustBe[kind])
	}
	d.values--
	_, err := d.whole()
	return err
}

// Scalars calls f with each string in a JSON text, and with each number twice: as it is
// written, and as the double that it is converted to. It skips keys, because they are
// names.
func Scalars(text string, f func(string)) {
	_ = newValueDecoder(text, 1).scalars(f)
}

func (d *decoder) scalars(f func(string)) error {
	switch c := d.Peek(); {
	case c == '{' && d.depth < MaxDepth:
		return d.members(func(lex.Text) error { return d.scalars(f) })
	case c == '[' && d.depth < MaxDepth:
		return d.elements(func(int) error { return d.scalars(f) })
	case c == '"':
		t, err := d.Str()
		f(t.String())
		return err
	case c == '-' || c >= '0' && c <= '9':
		raw, _, err := d.Number()
		f(raw)
		if n, parseErr := strconv.ParseFloat(raw, 64); parseErr == nil {
			double, _ := appendFloat(nil, n, 64)
			f(string(double))
		}
		return err
	default:
		_, err := d.Skip()
		return err
	}
}

// newValueDecoder returns a decoder of one value in a message at a nesting depth. It is
// as strict as for a request.
func newValueDecoder(text string, depth int) *decoder {
	if n := len(text); n > 0 && text[n-1] >= '0' && text[n-1] <= '9' {
		text += " " // here, a number at the end of the text is complete
	}
	return &decoder{Scanner: lex.Scanner{Data: text}, strict: true, depth: depth}
}

// whole reads the single value of the text.
func (d *decoder) whole() (*structpb.Value, error) {
	v, _, err := d.anyValue()
	if err == nil {
		err = d.End()
	}
	return v, err
}

// verbatim appends the JSON of a field instead of the field itself.
func (e *encoder) verbatim(dst []byte, f *field, m protoreflect.Message) ([]byte, error) {
	text := m.Get(f.json.fd).String()
	if !e.response {
		dst = append(slices.Grow(dst, len(text)+usualSize), text...)
		if e.checked && e.depth == 1 {
			return dst, nil
		}
		return dst, checkVerbatim(m, f.json.fd, e.depth)
	}
	s := lex.Scanner{Data: text}
	_, err := s.Skip()
	if err == nil {
		err = s.End()
	}
	if err != nil {
		return dst, within(err, f.json.name)
	}
	// Line ends are dropped, because a response may have to be one line. JSON strings
	// contain none.
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		dst = append(dst, part...)
	}
	return dst, nil
}
