package server_test

import (
	"fmt"
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

// A browser that is given nothing but the address finds the page. Whatever else asks for
// the root gets what it gets without the page.
func TestDocs_RootWithoutCredential_LeadsABrowserToThePage(t *testing.T) {
	t.Parallel()
	without := start(t, "http://127.0.0.1:1")
	with := start(t, "http://127.0.0.1:1", func(c *config.Config) { c.Gateway.Docs = true })
	const redirect = "307 ./docs no-store"
	for _, c := range []struct{ verb, path, authorization, want string }{
		{"GET", "/", "", redirect},
		{"HEAD", "/", "", redirect},
		{"GET", "/?utm=x", "", redirect},
		{"GET", "/", "Bearer x", "404  "},
		{"GET", "/", "nonsense", "401  "},
		{"POST", "/", "", "401  "},
		{"POST", "/", "Bearer x", "404  "},
		{"OPTIONS", "/", "", "401  "},
		{"GET", "//", "", "401  "},
		{"GET", "/.", "", "401  "},
		{"GET", "/index.html", "", "401  "},
	} {
		shown := func(d *digate) string {
			got := d.do(t, c.verb, c.path, "", "Authorization", c.authorization)
			return fmt.Sprint(got.status, " ", got.header.Get("Location"), " ", got.header.Get("Cache-Control"))
		}
		if got := shown(with); got != c.want {
			t.Errorf("%s %s, Authorization %q: %s, want %s", c.verb, c.path, c.authorization, got, c.want)
		}
		if got := shown(without); got == redirect {
			t.Errorf("%s %s leads to a page that is not there", c.verb, c.path)
		}
	}
}
