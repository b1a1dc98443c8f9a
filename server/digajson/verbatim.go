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

// JSONOf returns the field whose JSON a field holds, by the option json_of. It returns
// nil for a field that holds none.
func JSONOf(fd protoreflect.FieldDescriptor) protoreflect.FieldDescriptor {
	if of := jsonOf(fd); of != "" {
		return fd.ContainingMessage().Fields().ByName(of)
	}
	return nil
}

// CheckVerbatim checks the value of a request's field that holds the JSON of another.
// The other field must be unset, and the value be JSON that a client might write for
// it, in which any number will do. A value that is the JSON checked already is not looked
// at again. The error is an [Error].
func CheckVerbatim(m protoreflect.Message, fd protoreflect.FieldDescriptor, checked string) error {
	if checked != "" && checked == m.Get(fd).String() && !m.Has(JSONOf(fd)) {
		return nil
	}
	return checkVerbatim(m, fd, 1)
}

// checkVerbatim is CheckVerbatim for a message at a depth.
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
		// At which byte it is tells more than in which key.
		err = &Error{Kind: KindJSON, Message: fmt.Sprintf("%s (byte %d)", e.Message, min(e.Offset, len(text))), Offset: e.Offset}
	}
	if err == nil {
		return nil
	}
	return within(err, string(fd.Name()))
}

// fault returns what is wrong with a text as the value of a field of that shape, in a
// message at a depth; nil if nothing is.
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

// outermost reads the one value of the text, which must begin with the bracket and is
// not counted.
func (d *decoder) outermost(bracket byte, kind string) error {
	if first := d.Peek(); first != bracket && d.Pos < len(d.Data) {
		return d.mismatch(kind, mustBe[kind])
	}
	d.values--
	_, err := d.whole()
	return err
}

// Scalars calls f with the strings in a JSON text, and with the numbers: as they are
// written, and as the doubles that they are read as. Keys are names, and not among
// them.
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

// newValueDecoder returns a decoder of one value in a message at a depth, as strict as
// that of a request.
func newValueDecoder(text string, depth int) *decoder {
	if n := len(text); n > 0 && text[n-1] >= '0' && text[n-1] <= '9' {
		text += " " // here, the end of a number is no place where a text broke off
	}
	return &decoder{Scanner: lex.Scanner{Data: text}, strict: true, depth: depth}
}

// whole reads the one value of the text.
func (d *decoder) whole() (*structpb.Value, error) {
	v, _, err := d.anyValue()
	if err == nil {
		err = d.End()
	}
	return v, err
}

// verbatim appends the JSON of a field in place of the field itself.
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
	// No string holds a raw end of a line, and a response may have to be one line.
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		dst = append(dst, part...)
	}
	return dst, nil
}
