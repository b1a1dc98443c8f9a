package gateway

import (
	"context"
	"fmt"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
)

// mount returns grpc-gateway's mux with every route, at the paths of the contract's
// rules. It decides by the decoded path, as Diga does, and asks the last route first,
// as the contract's order of methods expects. The handlers are ours: those that
// grpc-gateway generates take one more message, one more encoding and five more contexts
// for each request.
func (g *gateway) mount() (*runtime.ServeMux, error) {
	none := g.observed("", g.noRoute)
	mux := runtime.NewServeMux(
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithRoutingErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, _ int) {
			none(w, r, nil)
		}),
	)
	handle := func(verb, path string, h runtime.HandlerFunc) error {
		err := mux.HandlePath(verb, path, func(w http.ResponseWriter, r *http.Request, values pathValues) {
			if hasEmpty(values) {
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
		h := g.observed(route.FullName, g.responder(route))
		path, verb := route.Binding.Template(), route.Binding.Verb
		if err := handle(verb, path, h); err != nil {
			return nil, err
		}
		verbs[verb] = true
		if verb != http.MethodGet {
			continue
		}
		// What can be read with GET can be asked for with HEAD.
		if err := handle(http.MethodHead, path, h); err != nil {
			return nil, err
		}
	}
	// The path of bulk requests could be that of an integration.
	for verb := range verbs {
		respond := g.noRoute
		if verb == http.MethodPost {
			respond = g.many
		}
		if err := handle(verb, BulkPath, g.observed(BulkMethod, respond)); err != nil {
			return nil, err
		}
	}
	return mux, nil
}

// hasEmpty reports whether a field in a path has no value. Diga has nothing there.
func hasEmpty(values pathValues) bool {
	for _, v := range values {
		if v == "" {
			return true
		}
	}
	return false
}
