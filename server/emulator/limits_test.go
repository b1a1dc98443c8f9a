package emulator_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/digate/digate/server/emulator"
)

func TestLimits_Exceeded_RefuseWritesOnly(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T, got reply) {
		t.Helper()
		if got.status != 429 || got.field(t, "error_code") != "EMULATOR_LIMIT_REACHED" || got.header.Get("Retry-After") != "" {
			t.Errorf("got %d %s", got.status, got.body)
		}
	}
	t.Run("integrations of a token", func(t *testing.T) {
		u := start(t, emulator.Options{MaxIntegrations: 2})
		first := u.copied("t", deepwiki, `{}`)
		u.copied("t", deepwiki, `{}`)
		refused(t, u.copy("t", deepwiki, `{}`))
		u.copied("u", deepwiki, `{}`)
		u.call("t", "DELETE", "/v1/integration/"+first, "")
		u.copied("t", deepwiki, `{}`)
	})
	t.Run("tokens", func(t *testing.T) {
		u := start(t, emulator.Options{MaxTokens: 1})
		u.call("reader", "GET", "/v1/integration", "")
		u.copied("t", deepwiki, `{}`)
		refused(t, u.copy("u", deepwiki, `{}`))
		if got := u.call("u", "GET", "/v1/integration", ""); got.status != 200 {
			t.Errorf("reading: got %d", got.status)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		u := start(t, emulator.Options{MaxBytes: 8000})
		large := `{"name":"` + strings.Repeat("x", 5000) + `"}`
		id := u.copied("t", deepwiki, large)
		refused(t, u.copy("u", deepwiki, large))
		small := u.copied("u", deepwiki, `{}`)
		refused(t, u.call("u", "PATCH", "/v1/integration/"+small, large))
		u.call("t", "DELETE", "/v1/integration/"+id, "")
		if got := u.call("u", "PATCH", "/v1/integration/"+small, large); got.status != 200 {
			t.Errorf("after room was made: got %d %s", got.status, got.body)
		}
		refused(t, u.copy("t", deepwiki, large))
	})
	t.Run("tools of an integration", func(t *testing.T) {
		u := start(t, emulator.Options{})
		id := u.copied("t", holidays, `{}`)
		path := "/v1/integration/" + id + "/tool"
		for i := len(u.Integrations("t")[0].Tools); i < 200; i++ {
			body := `{"name":"tool ` + strconv.Itoa(i) + `","description":"d","endpoint_path":"/","method":"GET"}`
			if got := u.call("t", "POST", path, body); got.status != 201 {
				t.Fatalf("tool %d: %d %s", i, got.status, got.body)
			}
		}
		refused(t, u.call("t", "POST", path, `{"name":"n","description":"d","endpoint_path":"/","method":"GET"}`))
	})
}

// toolOf returns the id of the first tool of an integration.
func toolOf(u *upstream, token, id string) string {
	for _, it := range u.Integrations(token) {
		if it.ID == id {
			return it.Tools[0].ID
		}
	}
	return ""
}

func TestConcurrentCallers_LoseNothing(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	var wait sync.WaitGroup
	for _, token := range []string{"a", "b", "c", "d"} {
		for range 8 {
			wait.Go(func() {
				body := `{"variables":{"country_code":"ES"}}`
				r, err := u.try(u.request(token, "POST", "/v1/integration/template/"+holidays+"/copy", body))
				if err != nil || r.status != 201 {
					t.Errorf("copy: %d %v", r.status, err)
					return
				}
				id, _ := r.field(t, "id").(string)
				for _, step := range [][3]string{
					{"GET", "/v1/integration?limit=3", ""},
					{"PATCH", "/v1/integration/" + id, `{"description":null}`},
					{"POST", "/v1/integration/" + id + "/tool", `{"name":"n","description":"d","endpoint_path":"/","method":"GET"}`},
					{"GET", "/v1/integration/" + id + "/tool", ""},
					{"DELETE", "/v1/integration/" + id + "/tool/" + toolOf(u, token, id), ""},
					{"DELETE", "/v1/integration/" + u.copied(token, deepwiki, `{}`), ""},
				} {
					if r, err := u.try(u.request(token, step[0], step[1], step[2])); err != nil || r.status >= 300 {
						t.Errorf("%s %s: %d %v", step[0], step[1], r.status, err)
					}
				}
			})
		}
	}
	wait.Wait()
	seen := map[string]bool{}
	for _, token := range []string{"a", "b", "c", "d"} {
		for _, it := range u.Integrations(token) {
			if len(it.Tools) != 2 || it.Description != nil {
				t.Errorf("%s: %+v", token, it)
			}
			seen[it.ID] = true
		}
	}
	if len(seen) != 32 {
		t.Errorf("%d different integrations, want 32", len(seen))
	}
}
