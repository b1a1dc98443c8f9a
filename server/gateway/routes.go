package gateway

import (
	"net/http"
	"slices"
	"strings"

	"github.com/digate/digate/server/contract"
)

// route is the HTTP form of a method.
type route struct {
	*contract.Method
	inPath []string // the path variables
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

// wholeServer is the path of a request about the whole server: OPTIONS *.
const wholeServer = "*"

// allowed returns the HTTP methods of a decoded path, sorted. It returns none if nothing
// matches the path.
func (rs *routes) allowed(path string) []string {
	var verbs []string
	if path == BulkPath || path == wholeServer {
		verbs = append(verbs, http.MethodPost)
	}
	for _, r := range rs.all {
		if path == wholeServer || path != BulkPath && r.Binding.Match(path) {
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

// locate returns the part of a request that contains a field, in FastAPI's terms.
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
