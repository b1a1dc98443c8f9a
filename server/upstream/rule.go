package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
	"github.com/digate/digate/server/digajson"
)

// rule is one method's REST form, read once from its google.api.http rule and
// our own options.
type rule struct {
	verb  string
	path  []segment
	query []queryField
	// body encodes the request's body; nil where there is none.
	body *digajson.Codec
	// bodyField is the message that is the body, nil where it is the request
	// itself.
	bodyField protoreflect.FieldDescriptor
	// answer decodes the answer's body; nil where a success has none.
	answer *digajson.Codec
	// answerField is the message that is the answer's body, nil where it is the
	// response itself.
	answerField protoreflect.FieldDescriptor
	// hasID says that the answer has an id by contract, whose presence makes a
	// 2xx a success.
	hasID bool
	// write says that the call may change something at the vendor.
	write bool
}

// segment is one part of the path between slashes: a literal, or a field's
// value.
type segment struct {
	literal string
	field   protoreflect.FieldDescriptor
	// suffix follows a field within the segment, such as ":verb".
	suffix string
}

type queryField struct {
	name  string
	field protoreflect.FieldDescriptor
}

// compile reads the rules of every method of a service that the vendor has,
// under their full gRPC names. Anything in a rule that it does not know is an
// error: better at start than a request that is not what the contract says.
func compile(sd protoreflect.ServiceDescriptor) (map[string]*rule, error) {
	rules := make(map[string]*rule)
	methods := sd.Methods()
	for i := range methods.Len() {
		md := methods.Get(i)
		own, _ := proto.GetExtension(md.Options(), annotationsv1.E_Method).(*annotationsv1.MethodRules)
		if own.GetFacadeOnly() {
			continue
		}
		r, err := compileMethod(md)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", md.FullName(), err)
		}
		rules[fmt.Sprintf("/%s/%s", sd.FullName(), md.Name())] = r
	}
	return rules, nil
}

func compileMethod(md protoreflect.MethodDescriptor) (*rule, error) {
	binding, _ := proto.GetExtension(md.Options(), annotations.E_Http).(*annotations.HttpRule)
	if binding == nil {
		return nil, errors.New("has no google.api.http rule and is not facade_only")
	}
	if md.IsStreamingClient() || md.IsStreamingServer() {
		return nil, errors.New("a stream is not one HTTP exchange")
	}
	if len(binding.GetAdditionalBindings()) > 0 {
		return nil, errors.New("additional bindings: which one would be sent?")
	}
	r := new(rule)
	var template string
	r.verb, template = verbAndPath(binding)
	if r.verb == "" || strings.Trim(r.verb, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return nil, fmt.Errorf("verb %q is not supported", r.verb)
	}
	read := r.verb == http.MethodGet || r.verb == http.MethodHead
	if read && binding.GetBody() != "" {
		return nil, fmt.Errorf("a %s has no body", r.verb)
	}
	r.write = !read

	in := md.Input()
	bound, err := r.compilePath(template, in)
	if err != nil {
		return nil, err
	}
	if err := r.compileBody(binding.GetBody(), in, bound); err != nil {
		return nil, err
	}
	if err := r.compileAnswer(binding.GetResponseBody(), md.Output()); err != nil {
		return nil, err
	}
	return r, nil
}

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

// compilePath reads a path template of literals and `{field}` segments; a
// wildcard, a nested field path and a literal that a URL would escape are
// refused.
func (r *rule) compilePath(template string, in protoreflect.MessageDescriptor) (bound []string, err error) {
	rest, ok := strings.CutPrefix(template, "/")
	if !ok {
		return nil, fmt.Errorf("path %q does not begin with a slash", template)
	}
	for part := range strings.SplitSeq(rest, "/") {
		inner, ok := strings.CutPrefix(part, "{")
		if !ok {
			if part == "" || part == "." || part == ".." || url.PathEscape(part) != part {
				return nil, fmt.Errorf("path %q: segment %q is not supported", template, part)
			}
			r.path = append(r.path, segment{literal: part})
			continue
		}
		name, suffix, ok := strings.Cut(inner, "}")
		name = strings.TrimSuffix(name, "=*")
		if !ok || strings.ContainsAny(name, ".=*{") || !isVerbSuffix(suffix) {
			return nil, fmt.Errorf("path %q: segment %q is not supported", template, part)
		}
		fd := in.Fields().ByName(protoreflect.Name(name))
		if fd == nil {
			return nil, fmt.Errorf("path %q: %s has no field %q", template, in.Name(), name)
		}
		if fd.Kind() != protoreflect.StringKind || fd.IsList() || fd.HasPresence() {
			return nil, fmt.Errorf("path %q: %q is not a plain string field", template, name)
		}
		if facadeOnly(fd) {
			return nil, fmt.Errorf("path %q: %q is facade_only", template, name)
		}
		r.path = append(r.path, segment{field: fd, suffix: suffix})
		bound = append(bound, name)
	}
	return bound, nil
}

// compileBody reads the body selector: "*" is every field that is not in the
// path, a name is that field alone, and without a selector there is no body.
// What is in neither path nor body is the query.
func (r *rule) compileBody(selector string, in protoreflect.MessageDescriptor, bound []string) (err error) {
	switch selector {
	case "*":
		r.body, err = digajson.Compile(in, digajson.Exclude(bound...))
		return err
	case "":
	default:
		fd := in.Fields().ByName(protoreflect.Name(selector))
		if fd == nil || fd.Message() == nil || fd.IsList() || fd.IsMap() {
			return fmt.Errorf("body %q is no message field of %s", selector, in.Name())
		}
		if facadeOnly(fd) {
			return fmt.Errorf("body %q is facade_only", selector)
		}
		if r.body, err = digajson.Compile(fd.Message()); err != nil {
			return err
		}
		r.bodyField = fd
		bound = append(bound, selector)
	}
	fields := in.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if slices.Contains(bound, string(fd.Name())) || facadeOnly(fd) {
			continue
		}
		if !digajson.HasText(fd) {
			return fmt.Errorf("%s has no form in a query", fd.FullName())
		}
		r.query = append(r.query, queryField{name: string(fd.Name()), field: fd})
	}
	return nil
}

func (r *rule) compileAnswer(selector string, out protoreflect.MessageDescriptor) (err error) {
	if selector != "" {
		fd := out.Fields().ByName(protoreflect.Name(selector))
		if fd == nil || fd.Message() == nil || fd.IsList() || fd.IsMap() {
			return fmt.Errorf("response_body %q is no message field of %s", selector, out.Name())
		}
		r.answerField = fd
		out = fd.Message()
	}
	if out.Fields().Len() == 0 {
		return nil
	}
	r.hasID = hasID(out)
	r.answer, err = digajson.Compile(out)
	return err
}

// isVerbSuffix says whether what follows a field in its segment is nothing or
// a custom verb, such as ":cancel".
func isVerbSuffix(s string) bool {
	return s == "" || len(s) > 1 && s[0] == ':' && url.PathEscape(s) == s
}

func facadeOnly(fd protoreflect.FieldDescriptor) bool {
	own, _ := proto.GetExtension(fd.Options(), annotationsv1.E_Field).(*annotationsv1.FieldRules)
	return own.GetFacadeOnly()
}
