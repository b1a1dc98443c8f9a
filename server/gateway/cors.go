package gateway

import (
	"net/http"
	"slices"
	"strings"

	"github.com/digate/digate/server/apierror"
)

const (
	// corsRequest lists the headers that a page may send, in addition to those that every
	// page may.
	corsRequest = "Authorization, Content-Type, Digate-Account, Digate-Timeout, Digate-Unresolved, Idempotency-Key, Prefer, X-Request-Id"
	// corsResponse lists the headers that a page may read, in addition to those that
	// every page may.
	corsResponse = "Allow, Digate-Outcome, Digate-Replayed, Preference-Applied, Retry-After, WWW-Authenticate, X-Request-Id"
	// corsCallRequest and corsCallResponse list the further headers for calls over
	// Connect and gRPC-Web.
	corsCallRequest  = "Connect-Protocol-Version, Connect-Timeout-Ms, Grpc-Timeout, X-Grpc-Web, X-User-Agent"
	corsCallResponse = "Grpc-Message, Grpc-Status, Grpc-Status-Details-Bin, Trailer-Digate-Omitted, Trailer-Grpc-Retry-Pushback-Ms"
	// corsMaxAge is how long, in seconds, a browser may cache the response to a preflight
	// request.
	corsMaxAge = "600"
)

// cors lets web pages of certain origins call the routes from a browser, by the CORS
// protocol of the Fetch standard. A page sends its token itself: cookies and other
// credentials of the browser are never allowed.
type cors struct {
	origins []string
	routes  *routes
	isCall  func(path string) bool
	next    http.Handler
}

// ServeHTTP implements [http.Handler]. It responds to preflight requests, which browsers
// send without a credential.
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

// of returns the HTTP methods of a path, none if the path has no route, and the headers
// that a page may send to it and read from it.
func (c *cors) of(path string) (verbs []string, request, response string) {
	if c.isCall(path) {
		return []string{http.MethodPost, http.MethodOptions}, corsRequest + ", " + corsCallRequest, corsResponse + ", " + corsCallResponse
	}
	return c.routes.allowed(path), corsRequest, corsResponse
}
