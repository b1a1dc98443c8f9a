package doctor

import (
	"net/http"
	"strings"
	"testing"

	"github.com/digate/digate/server/config"
)

// The check of Diga's published contract warns and never fails.
func TestDocument_WhateverItIs_NeverFails(t *testing.T) {
	for name, row := range map[string]struct {
		document http.Handler
		found    string
	}{
		"missing":   {http.NotFoundHandler(), "cannot be read: "},
		"a page":    {says(200, "text/html", "<html>"), "no OpenAPI document in JSON"},
		"not whole": {says(200, "application/json", `{"openapi": "3.1.0", "paths": {}}`), "breaking ListIntegrations"},
	} {
		srv, seen := watched(t, row.document)
		cfg := config.Defaults()
		cfg.ContractWatch.URL = srv.URL
		got := document(t.Context(), &cfg, "test")
		if got.Result != resultWarn || !strings.Contains(got.Found, row.found) {
			t.Errorf("%s: %+v", name, got)
		}
		if seen.onlyGETs(t) != 1 || seen.tokens[0] != "" {
			t.Errorf("%s: %v with %q", name, seen.requests, seen.tokens)
		}
	}
}
