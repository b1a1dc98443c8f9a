package contract

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson"
)

// Binding is a method's google.api.http rule: which fields of the request message are in
// the path, in the query and in the body. Every field that is not facade_only is in
// exactly one of them.
type Binding struct {
	Verb string
	Path []Segment
	// Query are the fields in the query, each under its own name.
	Query []protoreflect.FieldDescriptor
	// Body is the codec of the request's body: the message without the fields in the
	// path. It is nil if there is no body.
	Body *digajson.Codec
	// Response is the codec of a success's body. It is nil if a success has no body.
	Response *digajson.Codec
	// ResponseField is the field whose message is the body of a success. It is nil if the
	// body is the response message itself.
	ResponseField protoreflect.FieldDescriptor
	// HasID reports whether the contract says that the body of a success has an id.
	HasID bool
}

// bind reads a rule. An unsupported part is an error: a failed start is better than
// requests that deviate from the contract.
func bind(rule *annotations.HttpRule, md protoreflect.MethodDescriptor) (b *Binding, broken []error) {
	b = new(Binding)
	var template string
	b.Verb, template = verbAndPath(rule)
	if b.Verb == "" || strings.Trim(b.Verb, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || b.Verb == http.MethodConnect {
		broken = append(broken, fmt.Errorf("verb %q is not supported", b.Verb))
	}
	if len(rule.GetAdditionalBindings()) > 0 {
		broken = append(broken, errors.New("additional bindings are not supported: a method is one HTTP request"))
	}
	var err error
	if b.Path, err = parsePath(template, md.Input()); err != nil {
		broken = append(broken, err)
	} else if err := b.bindBody(rule.GetBody(), md.Input()); err != nil {
		broken = append(broken, err)
	}
	if err := b.bindResponse(rule.GetResponseBody(), md.Output()); err != nil {
		broken = append(broken, err)
	}
	if b.Verb == http.MethodHead && b.Response != nil {
		broken = append(broken, errors.New("the response to a HEAD has no body, and the response message has fields"))
	}
	return b, broken
}

// isRead reports whether a verb changes nothing.
func isRead(verb string) bool { return verb == http.MethodGet || verb == http.MethodHead }

func verbAndPath(h *annotations.HttpRule) (verb, path string) {
	switch p := h.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return http.MethodGet, p.Get
	case *annotations.HttpRule_Put:
		return http.MethodPut, p.Put
	case *annotations.HttpRule_Post:
		return http.MethodPost, p.Post
	case *annotations.HttpRule_Delete:
		return http.MethodDelete, p.Delete
	case *annotations.HttpRule_Patch:
		return http.MethodPatch, p.Patch
	case *annotations.HttpRule_Custom:
		return p.Custom.GetKind(), p.Custom.GetPath()
	default:
		return "", ""
	}
}

// bindBody reads the body selector. With "*", the body has all fields that are not in the
// path. Without a selector, these fields are in the query. A body that is a single field
// is not supported, because no operation of Diga has one.
func (b *Binding) bindBody(selector string, in protoreflect.MessageDescriptor) (err error) {
	inPath := b.InPath()
	switch selector {
	case "*":
		if isRead(b.Verb) || b.Verb == http.MethodDelete {
			return fmt.Errorf("a %s has no body", b.Verb)
		}
		b.Body, err = digajson.Compile(in, digajson.Exclude(inPath...))
		return err
	case "":
	default:
		return fmt.Errorf(`body %q is not supported: it must be "*" or absent`, selector)
	}
	for i := range in.Fields().Len() {
		fd := in.Fields().Get(i)
		if slices.Contains(inPath, string(fd.Name())) || digajson.FacadeOnly(fd) {
			continue
		}
		if !digajson.HasText(fd) {
			return fmt.Errorf("%s has no form in a query", fd.FullName())
		}
		b.Query = append(b.Query, fd)
	}
	return nil
}

func (b *Binding) bindResponse(selector string, out protoreflect.MessageDescriptor) (err error) {
	if selector != "" {
		fd := out.Fields().ByName(protoreflect.Name(selector))
		if fd == nil || fd.Message() == nil || fd.IsList() || fd.IsMap() {
			return fmt.Errorf("response_body %q is no message field of %s", selector, out.Name())
		}
		b.ResponseField = fd
		out = fd.Message()
	}
	if out.Fields().Len() == 0 {
		return nil
	}
	b.HasID = hasID(out)
	b.Response, err = digajson.Compile(out)
	return err
}

// InPath returns the names of the fields in the path.
func (b *Binding) InPath() []string {
	var names []string
	for _, s := range b.Path {
		if s.Field != nil {
			names = append(names, string(s.Field.Name()))
		}
	}
	return names
}
