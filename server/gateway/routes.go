package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/digate/digate/gen/digate/annotations/v1"
)

// route is what the answers need to know of a method's google.api.http rule;
// the matching itself is grpc-gateway's.
type route struct {
	method   protoreflect.MethodDescriptor
	verb     string
	segments []string // "" where any value may stand
	inPath   []string // fields that stand in the path
	inQuery  []protoreflect.FieldDescriptor
	hasBody  bool
	success  int // the HTTP status of a success
}

type routes struct {
	all    []*route
	byName map[string]*route // by full gRPC name, "/package.Service/Method"
}

func compileRoutes(sd protoreflect.ServiceDescriptor) (*routes, error) {
	rs := &routes{byName: make(map[string]*route)}
	methods := sd.Methods()
	for i := range methods.Len() {
		md := methods.Get(i)
		h, _ := proto.GetExtension(md.Options(), annotations.E_Http).(*annotations.HttpRule)
		if h == nil {
			continue
		}
		r := &route{method: md, hasBody: h.GetBody() != "", success: http.StatusOK}
		var template string
		switch p := h.GetPattern().(type) {
		case *annotations.HttpRule_Get:
			r.verb, template = http.MethodGet, p.Get
		case *annotations.HttpRule_Put:
			r.verb, template = http.MethodPut, p.Put
		case *annotations.HttpRule_Post:
			r.verb, template = http.MethodPost, p.Post
		case *annotations.HttpRule_Delete:
			r.verb, template = http.MethodDelete, p.Delete
		case *annotations.HttpRule_Patch:
			r.verb, template = http.MethodPatch, p.Patch
		default:
			return nil, fmt.Errorf("%s: unknown HTTP pattern %T", md.FullName(), p)
		}
		for part := range strings.SplitSeq(strings.TrimPrefix(template, "/"), "/") {
			if name, ok := strings.CutPrefix(part, "{"); ok {
				r.inPath = append(r.inPath, strings.TrimSuffix(name, "}"))
				part = ""
			}
			r.segments = append(r.segments, part)
		}
		if !r.hasBody {
			r.inQuery = queryFields(md.Input(), r.inPath)
		}
		own, _ := proto.GetExtension(md.Options(), annotationsv1.E_Method).(*annotationsv1.MethodRules)
		if own.GetSuccessStatus() != 0 {
			r.success = int(own.GetSuccessStatus())
		}
		rs.all = append(rs.all, r)
		rs.byName[fmt.Sprintf("/%s/%s", sd.FullName(), md.Name())] = r
	}
	return rs, nil
}

// queryFields are the fields of a request without a body that do not stand in
// its path.
func queryFields(md protoreflect.MessageDescriptor, inPath []string) []protoreflect.FieldDescriptor {
	var out []protoreflect.FieldDescriptor
	fields := md.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		own, _ := proto.GetExtension(fd.Options(), annotationsv1.E_Field).(*annotationsv1.FieldRules)
		if !own.GetFacadeOnly() && !slices.Contains(inPath, string(fd.Name())) {
			out = append(out, fd)
		}
	}
	return out
}

// allowed returns the methods that a path answers to, sorted.
func (rs *routes) allowed(path string) []string {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	var verbs []string
	for _, r := range rs.all {
		if r.matches(segments) {
			verbs = append(verbs, r.verb)
		}
	}
	slices.Sort(verbs)
	return slices.Compact(verbs)
}

func (r *route) matches(segments []string) bool {
	return slices.EqualFunc(r.segments, segments, func(want, got string) bool {
		return want == "" && got != "" || want != "" && want == got
	})
}

// locate says where in a request a field stands, in FastAPI's terms.
func (r *route) locate(field string) string {
	if field == idempotencyField {
		return "header"
	}
	name, _, _ := strings.Cut(field, ".")
	name, _, _ = strings.Cut(name, "[")
	switch {
	case r == nil:
		return "body"
	case slices.Contains(r.inPath, name):
		return "path"
	case !r.hasBody:
		return "query"
	default:
		return "body"
	}
}
