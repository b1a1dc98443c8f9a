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
	// corsCallRequest and corsCallResponse are what a page may send and read beside these of
	// a call over Connect or gRPC-Web.
	corsCallRequest  = "Connect-Protocol-Version, Connect-Timeout-Ms, Grpc-Timeout, X-Grpc-Web, X-User-Agent"
	corsCallResponse = "Grpc-Message, Grpc-Status, Grpc-Status-Details-Bin, Trailer-Digate-Omitted, Trailer-Grpc-Retry-Pushback-Ms"
	// corsMaxAge is how long, in seconds, a browser need not ask again.
	corsMaxAge = "600"
)

// cors lets the pages of some origins call the routes from a browser, as Fetch's CORS
// protocol has it. A page sends its token itself: no cookie or other credential of the
// browser's is ever allowed.
type cors struct {
	origins []string
	routes  *routes
	isCall  func(path string) bool
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
	verbs, request, response := c.of(r.URL.Path)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		h.Set("Access-Control-Expose-Headers", response)
		c.next.ServeHTTP(w, r)
		return
	}
	if len(verbs) == 0 {
		_ = refuse(w, apierror.RouteNotFound())
		return
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(verbs, ", "))
	h.Set("Access-Control-Allow-Headers", request)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	w.WriteHeader(http.StatusNoContent)
}

// of returns the HTTP methods of a path, none where nothing is there, and which headers a
// page may send to it and read from it.
func (c *cors) of(path string) (verbs []string, request, response string) {
	if c.isCall(path) {
		return []string{http.MethodPost, http.MethodOptions}, corsRequest + ", " + corsCallRequest, corsResponse + ", " + corsCallResponse
	}
	return c.routes.allowed(path), corsRequest, corsResponse
}
