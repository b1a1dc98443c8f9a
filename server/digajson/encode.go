package digajson

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/digate/digate/server/digajson/internal/lex"
)

// AppendRequest appends the message in the form for Diga: an unset field is absent. If
// the message has an update_mask with paths, exactly the selected fields are written,
// unset ones as null. If JSON or the contract cannot represent a value, the error is an
// [Error] that names its place, and dst is unchanged.
func (c *Codec) AppendRequest(dst []byte, m proto.Message) ([]byte, error) {
	return c.appendWith(&encoder{}, dst, m)
}

// AppendChecked is AppendRequest for a message whose verbatim JSON was validated by
// [CheckVerbatim]. It does not validate that JSON again.
func (c *Codec) AppendChecked(dst []byte, m proto.Message) ([]byte, error) {
	return c.appendWith(&encoder{checked: true}, dst, m)
}

// AppendResponse appends the message in the form for a client: an unset field is null, an
// empty list [] and an empty map {}. Its errors are those of AppendRequest.
func (c *Codec) AppendResponse(dst []byte, m proto.Message) ([]byte, error) {
	return c.appendWith(&encoder{response: true}, dst, m)
}

// usualSize is the initial capacity for a request or response.
const usualSize = 512

func (c *Codec) appendWith(e *encoder, dst []byte, m proto.Message) ([]byte, error) {
	out := dst
	if out == nil {
		out = make([]byte, 0, usualSize)
	}
	out, err := e.object(out, c, m)
	if err != nil {
		return dst, err
	}
	return out, nil
}

type encoder struct {
	response  bool
	canonical bool // for values decoded as canonical
	checked   bool // the verbatim JSON at depth 1 was validated
	depth     int
}

func (e *encoder) enter() error {
	if e.depth++; e.depth > MaxDepth {
		return &Error{Kind: kindDepth, Message: tooDeep}
	}
	return nil
}

func (e *encoder) leave() { e.depth-- }

func (e *encoder) object(dst []byte, c *Codec, m proto.Message) ([]byte, error) {
	defer e.leave()
	if err := e.enter(); err != nil {
		return dst, err
	}
	if c.flat != nil {
		return e.flat(dst, c.flat, m.ProtoReflect())
	}
	dst, err := e.fields(append(dst, '{'), c, m, false)
	return append(dst, '}'), err
}

// fields appends an object's members. more reports whether the object already has a
// member.
func (e *encoder) fields(dst []byte, c *Codec, m proto.Message, more bool) ([]byte, error) {
	t := c.messageOf(m)
	named, some, err := c.masked(t.Message)
	if err != nil {
		return dst, err
	}
	for _, f := range c.fields {
		if some && !named.has(f) {
			continue
		}
		v, has := t.get(f)
		if f.shape == shapeEnum && has && !f.list && !f.mapped {
			has = v.Enum() != 0 // an unspecified enum counts as unset, even if it was set
		}
		verbatim := false
		if f.json != nil {
			_, verbatim = t.get(f.json)
		}
		if !has && !verbatim && !e.response && !some {
			continue
		}
		if more {
			dst = append(dst, ',')
		}
		more = true
		dst = append(dst, f.key...)
		switch {
		case verbatim:
			if dst, err = e.verbatim(dst, f, t.Message); err != nil {
				return dst, err
			}
		case has:
			if dst, err = e.field(dst, f, &t, v); err != nil {
				return dst, within(err, f.name)
			}
		case e.response:
			dst = append(dst, f.nothing...)
		default:
			dst = append(dst, f.nulled...)
		}
	}
	return dst, nil
}

// unset returns the text of an unset field in a response and in a request.
func (f *field) unset() (response, request string) {
	switch {
	case f.list:
		return "[]", "null"
	case f.mapped:
		return "{}", "null"
	case f.fd.HasPresence():
		return "null", "null"
	case f.shape == shapeBool:
		return "false", "false"
	case f.shape == shapeInt || f.shape == shapeUint || f.shape == shapeFloat:
		return "0", "0"
	default:
		return "null", "null"
	}
}

func (e *encoder) field(dst []byte, f *field, t *message, v protoreflect.Value) ([]byte, error) {
	switch {
	case f.list:
		return e.list(dst, f, v.List())
	case f.mapped:
		if m, ok := t.strings(f); ok {
			return e.strings(dst, m)
		}
		return e.mapped(dst, f.mapValue, v.Map())
	default:
		return e.value(dst, f, v)
	}
}

func (e *encoder) list(dst []byte, f *field, list protoreflect.List) (_ []byte, err error) {
	defer e.leave()
	if err := e.enter(); err != nil {
		return dst, err
	}
	dst = append(dst, '[')
	for i := range list.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = e.value(dst, f, list.Get(i)); err != nil {
			return dst, within(err, i)
		}
	}
	return append(dst, ']'), nil
}

func (e *encoder) mapped(dst []byte, f *field, entries protoreflect.Map) (_ []byte, err error) {
	defer e.leave()
	if err := e.enter(); err != nil {
		return dst, err
	}
	type entry struct {
		key   string
		value protoreflect.Value
	}
	sorted := make([]entry, 0, entries.Len())
	entries.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		sorted = append(sorted, entry{k.String(), v})
		return true
	})
	slices.SortFunc(sorted, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	dst = append(dst, '{')
	for i, entry := range sorted {
		if dst, err = appendKey(dst, entry.key, i > 0); err != nil {
			return dst, err
		}
		if dst, err = e.value(dst, f, entry.value); err != nil {
			return dst, within(err, entry.key)
		}
	}
	return append(dst, '}'), nil
}

// strings appends a map of strings, as mapped does for other maps.
func (e *encoder) strings(dst []byte, m map[string]string) (_ []byte, err error) {
	defer e.leave()
	if err := e.enter(); err != nil {
		return dst, err
	}
	var room [16]string
	dst = append(dst, '{')
	for i, k := range sortedKeys(room[:0], m) {
		if dst, err = appendKey(dst, k, i > 0); err != nil {
			return dst, err
		}
		if dst, err = appendString(dst, m[k]); err != nil {
			return dst, within(err, k)
		}
	}
	return append(dst, '}'), nil
}

// sortedKeys appends the sorted keys of a map to dst.
func sortedKeys[V any](dst []string, m map[string]V) []string {
	for k := range m {
		dst = append(dst, k)
	}
	slices.Sort(dst)
	return dst
}

func (e *encoder) value(dst []byte, f *field, v protoreflect.Value) ([]byte, error) {
	switch f.shape {
	case shapeString:
		return appendString(dst, v.String())
	case shapeBool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case shapeInt:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case shapeUint:
		return strconv.AppendUint(dst, v.Uint(), 10), nil
	case shapeFloat:
		return appendFloat(dst, v.Float(), f.bits)
	case shapeBytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
		return append(dst, '"'), nil
	case shapeEnum:
		return e.enum(dst, f.enum, v.Enum())
	case shapeTime:
		t := v.Message()
		seconds, nanos := timeOf(t)
		dst, ok := appendTime(dst, seconds, nanos)
		if !ok {
			return dst, &Error{Kind: kindTime, Message: "must be a time in the years 1 to 9999"}
		}
		return dst, nil
	case shapeMessage:
		return e.object(dst, f.msg, v.Message().Interface())
	default:
		return e.wellKnown(dst, v.Message().Interface())
	}
}

func timeOf(m protoreflect.Message) (seconds int64, nanos int32) {
	if t, ok := m.Interface().(*timestamppb.Timestamp); ok {
		return t.GetSeconds(), t.GetNanos()
	}
	fields := m.Descriptor().Fields()
	return m.Get(fields.ByNumber(1)).Int(), int32(m.Get(fields.ByNumber(2)).Int())
}

func (e *encoder) enum(dst []byte, names *enumNames, n protoreflect.EnumNumber) ([]byte, error) {
	if s := names.text(n); s != "" {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"'), nil
	}
	if e.response {
		return append(dst, "null"...), nil
	}
	return dst, &Error{Kind: kindEnum, Message: "must be one of " + names.allowed}
}

// appendString appends a string, which must be valid Unicode.
func appendString(dst []byte, s string) ([]byte, error) {
	dst, valid := lex.AppendString(dst, s)
	if !valid {
		return dst, &Error{Kind: kindUnicode, Message: notUnicode}
	}
	return dst, nil
}

func appendKey(dst []byte, key string, more bool) (_ []byte, err error) {
	if more {
		dst = append(dst, ',')
	}
	if dst, err = appendString(dst, key); err != nil {
		return dst, err
	}
	return append(dst, ':'), nil
}
