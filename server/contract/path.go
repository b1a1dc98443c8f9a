package contract

import (
	"fmt"
	"net/url"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson"
)

// Segment is a part of a path between slashes: a literal, or a field's value with an
// optional suffix.
type Segment struct {
	// Literal is the whole segment if Field is nil.
	Literal string
	Field   protoreflect.FieldDescriptor
	// Suffix follows the field's value, such as ":cancel". Only the last segment can have
	// one.
	Suffix string
}

// match reports whether a segment of a path matches. A value is never empty.
func (s *Segment) match(text string) bool {
	if s.Field == nil {
		return text == s.Literal
	}
	value, ok := strings.CutSuffix(text, s.Suffix)
	return ok && value != ""
}

// Match reports whether a decoded path matches the binding. Any slash separates segments,
// however it was written, as at Diga.
func (b *Binding) Match(path string) bool {
	for i := range b.Path {
		rest, ok := strings.CutPrefix(path, "/")
		if !ok {
			return false
		}
		end := strings.IndexByte(rest, '/')
		if end < 0 {
			end = len(rest)
		}
		if !b.Path[i].match(rest[:end]) {
			return false
		}
		path = rest[end:]
	}
	return path == ""
}

// SetPath sets the fields of a request that are in the path. values has their values by
// field name.
func (b *Binding) SetPath(m protoreflect.Message, values map[string]string) {
	for i := range b.Path {
		if fd := b.Path[i].Field; fd != nil {
			m.Set(fd, protoreflect.ValueOfString(values[string(fd.Name())]))
		}
	}
}

// Template returns the path in google.api.http's form.
func (b *Binding) Template() string {
	var t strings.Builder
	for i := range b.Path {
		s := &b.Path[i]
		t.WriteByte('/')
		if s.Field == nil {
			t.WriteString(s.Literal)
			continue
		}
		t.WriteString("{" + string(s.Field.Name()) + "}" + s.Suffix)
	}
	return t.String()
}

// parsePath parses a path template of literals, `{field}` and `{field=*}`. The last
// segment may have a custom verb, such as `{field}:cancel`. Wildcards, nested field paths
// and literals that a URL would escape are errors.
func parsePath(template string, in protoreflect.MessageDescriptor) ([]Segment, error) {
	rest, ok := strings.CutPrefix(template, "/")
	if !ok {
		return nil, fmt.Errorf("path %q does not begin with a slash", template)
	}
	parts := strings.Split(rest, "/")
	path := make([]Segment, 0, len(parts))
	seen := make(map[string]bool)
	for i, part := range parts {
		unsupported := fmt.Errorf("path %q: segment %q is not supported", template, part)
		if strings.Contains(part, ":") && i < len(parts)-1 {
			return nil, unsupported // a verb ends a path
		}
		inner, ok := strings.CutPrefix(part, "{")
		if !ok {
			if !isLiteral(part) {
				return nil, unsupported
			}
			path = append(path, Segment{Literal: part})
			continue
		}
		name, suffix, ok := strings.Cut(inner, "}")
		name = strings.TrimSuffix(name, "=*")
		if !ok || strings.ContainsAny(name, ".=*{") || !isVerbSuffix(suffix) {
			return nil, unsupported
		}
		fd := in.Fields().ByName(protoreflect.Name(name))
		if fd == nil {
			return nil, fmt.Errorf("path %q: %s has no field %q", template, in.Name(), name)
		}
		if fd.Kind() != protoreflect.StringKind || fd.IsList() || fd.HasPresence() {
			return nil, fmt.Errorf("path %q: %q is not a plain string field", template, name)
		}
		if digajson.FacadeOnly(fd) {
			return nil, fmt.Errorf("path %q: %q is facade_only", template, name)
		}
		if seen[name] {
			return nil, fmt.Errorf("path %q: %q is in it twice", template, name)
		}
		seen[name] = true
		path = append(path, Segment{Field: fd, Suffix: suffix})
	}
	return path, nil
}

// isLiteral reports whether a segment has the same form in a URL. A colon separates a
// custom verb, and neither part may be empty.
func isLiteral(s string) bool {
	noun, verb, hasVerb := strings.Cut(s, ":")
	return noun != "" && noun != "." && noun != ".." && url.PathEscape(s) == s &&
		(!hasVerb || verb != "" && !strings.Contains(verb, ":"))
}

// isVerbSuffix reports whether the text after a field in its segment is empty or a custom
// verb, such as ":cancel".
func isVerbSuffix(s string) bool {
	verb, ok := strings.CutPrefix(s, ":")
	return s == "" || ok && verb != "" && !strings.Contains(verb, ":") && url.PathEscape(verb) == verb
}
