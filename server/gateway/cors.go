package gateway

import (
	"net/http"
	"slices"
	"strings"

	"github.com/digate/digate/server/apierror"
)

const (
	// corsRequest is what a page may send beside what every page may.
	corsRequest = "Authorization, Content-Type, Digate-Account, Digate-Timeout, Digate-Unresolved, Idempotency-Key, Prefer, X-Request-Id"
	// corsResponse is what a page may read beside what every page may.
	corsResponse = "Allow, Digate-Outcome, Digate-Replayed, Preference-Applied, Retry-After, WWW-Authenticate, X-Request-Id"
	// corsMaxAge is how long, in seconds, a browser need not ask again.
	corsMaxAge = "600"
)

// cors lets the pages of some origins call the routes from a browser, as Fetch's CORS
// protocol has it. A page sends its token itself: no cookie or other credential of the
// browser's is ever allowed.
type cors struct {
	origins []string
	routes  *routes
	next    http.Handler
}

// ServeHTTP implements [http.Handler]. A browser asks without a credential whether a
// page may send its request.
func (c *cors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if !slices.Contains(c.origins, origin) {
		c.next.ServeHTTP(w, r)
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		h.Set("Access-Control-Expose-Headers", corsResponse)
		c.next.ServeHTTP(w, r)
		return
	}
	verbs := c.routes.allowed(r.URL.Path)
	if len(verbs) == 0 {
		_ = refuse(w, apierror.RouteNotFound())
		return
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(verbs, ", "))
	h.Set("Access-Control-Allow-Headers", corsRequest)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	w.WriteHeader(http.StatusNoContent)
}
