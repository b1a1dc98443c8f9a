package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/openapi/viewer"
)

// The page, and what it loads, needs no credential, and is not there unless the settings
// say so.
func TestDocs_OnlyWithTheSetting_AreServedWithoutCredential(t *testing.T) {
	t.Parallel()
	handlers, err := viewer.Handlers(viewer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	without := start(t, "http://127.0.0.1:1")
	with := start(t, "http://127.0.0.1:1", func(c *config.Config) { c.Gateway.Docs = true })
	for path := range handlers {
		if got := without.do(t, http.MethodGet, path, "", "Authorization", ""); got.status != http.StatusUnauthorized {
			t.Errorf("%s is there without --docs: %d", path, got.status)
		}
		got := with.do(t, http.MethodGet, path, "", "Authorization", "")
		if want := http.StatusOK; got.status != want && !strings.HasSuffix(path, "/") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}
