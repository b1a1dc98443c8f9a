package gateway

import (
	"slices"
	"strings"

	"github.com/digate/digate/server/contract"
)

// route is what the gateway needs to know of a method's HTTP form; grpc-gateway
// finds the method.
type route struct {
	*contract.Method
	inPath []string // the fields in the path
}

type routes struct {
	all    []*route
	byName map[string]*route // by full gRPC name
}

func newRoutes(c *contract.Contract) *routes {
	rs := &routes{byName: make(map[string]*route)}
	for _, m := range c.Methods() {
		if m.Binding == nil {
			continue
		}
		r := &route{m, m.Binding.InPath()}
		rs.all = append(rs.all, r)
		rs.byName[m.FullName] = r
	}
	return rs
}

// find returns the route of a request, by its HTTP method and its path as in a
// URL, nil where there is none. Like grpc-gateway, it asks the last route first.
func (rs *routes) find(verb, path string) *route {
	for _, r := range slices.Backward(rs.all) {
		if r.Binding.Verb == verb && r.Binding.Match(path) {
			return r
		}
	}
	return nil
}

// allowed returns the HTTP methods of a path, sorted.
func (rs *routes) allowed(path string) []string {
	var verbs []string
	for _, r := range rs.all {
		if r.Binding.Match(path) {
			verbs = append(verbs, r.Binding.Verb)
		}
	}
	slices.Sort(verbs)
	return slices.Compact(verbs)
}

// locate returns the part of a request that a field is in, in FastAPI's terms.
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
	case r.Binding.Body == nil:
		return "query"
	default:
		return "body"
	}
}
