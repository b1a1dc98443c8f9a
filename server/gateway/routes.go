package gateway

import (
	"net/http"
	"slices"
	"strings"

	"github.com/digate/digate/server/contract"
)

// route is what the gateway needs to know of a method's HTTP form.
type route struct {
	*contract.Method
	inPath []string // the fields in the path
}

type routes struct{ all []*route }

func newRoutes(c *contract.Contract) *routes {
	rs := new(routes)
	for _, m := range c.Methods() {
		if m.Binding == nil {
			continue
		}
		rs.all = append(rs.all, &route{m, m.Binding.InPath()})
	}
	return rs
}

// find returns the route of a request, by its HTTP method and its decoded path, nil
// where there is none. It asks the last route first, as the contract's order of methods
// expects. What can be read with GET can be asked for with HEAD.
func (rs *routes) find(verb, path string) *route {
	for _, r := range slices.Backward(rs.all) {
		if r.Binding.Verb == verb && r.Binding.Match(path) {
			return r
		}
	}
	if verb == http.MethodHead {
		return rs.find(http.MethodGet, path)
	}
	return nil
}

// everywhere is the path of a request about the whole server: OPTIONS *.
const everywhere = "*"

// allowed returns the HTTP methods of a decoded path, sorted, none where nothing is
// at the path.
func (rs *routes) allowed(path string) []string {
	var verbs []string
	if path == BulkPath || path == everywhere {
		verbs = append(verbs, http.MethodPost)
	}
	for _, r := range rs.all {
		if path == everywhere || path != BulkPath && r.Binding.Match(path) {
			verbs = append(verbs, r.Binding.Verb)
		}
	}
	if len(verbs) == 0 {
		return nil
	}
	if slices.Contains(verbs, http.MethodGet) {
		verbs = append(verbs, http.MethodHead)
	}
	verbs = append(verbs, http.MethodOptions)
	slices.Sort(verbs)
	return slices.Compact(verbs)
}

// locate returns the part of a request that a field is in, in FastAPI's terms.
func (r *route) locate(field string) string {
	if field == idempotencyField || field == timeoutField || field == unresolvedField {
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
