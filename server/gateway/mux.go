package gateway

import (
	"context"
	"fmt"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
)

// mount returns grpc-gateway's mux with all routes, at the paths of the contract's rules.
// The mux matches decoded paths, as Diga does, and tries routes in reverse order of
// registration, which fits the contract's order of methods. The handlers are digate's
// own: those that grpc-gateway generates need another message, another encoding and five
// more contexts for each request.
func (g *gateway) mount() (*runtime.ServeMux, error) {
	none := g.observe("", g.noRoute)
	mux := runtime.NewServeMux(
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithRoutingErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, _ int) {
			none(w, r, nil)
		}),
	)
	handle := func(verb, path string, h runtime.HandlerFunc) error {
		err := mux.HandlePath(verb, path, func(w http.ResponseWriter, r *http.Request, values pathValues) {
			if hasEmptyValue(values) {
				none(w, r, nil)
				return
			}
			h(w, r, values)
		})
		if err != nil {
			return fmt.Errorf("gateway: %s %s: %w", verb, path, err)
		}
		return nil
	}
	verbs := map[string]bool{http.MethodHead: true, http.MethodPost: true}
	for _, route := range g.routes.all {
		h := g.observe(route.FullName, g.responder(route))
		path, verb := route.Binding.Template(), route.Binding.Verb
		if err := handle(verb, path, h); err != nil {
			return nil, err
		}
		verbs[verb] = true
		if verb != http.MethodGet {
			continue
		}
		// Every GET route accepts HEAD too.
		if err := handle(http.MethodHead, path, h); err != nil {
			return nil, err
		}
	}
	// The path of bulk requests also matches the pattern of an integration's path.
	for verb := range verbs {
		respond := g.noRoute
		if verb == http.MethodPost {
			respond = g.respondBulk
		}
		if err := handle(verb, BulkPath, g.observe(BulkMethod, respond)); err != nil {
			return nil, err
		}
	}
	return mux, nil
}

// hasEmptyValue reports whether a path variable is empty. Diga has no resource at such a path.
func hasEmptyValue(values pathValues) bool {
	for _, v := range values {
		if v == "" {
			return true
		}
	}
	return false
}
