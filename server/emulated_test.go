package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/emulator"
)

// Whoever tries an operation tries it on the emulator, and so do the tests.
func TestEmulator_EveryOperationOfDiga_HasARoute(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(contract.Integration())
	if err != nil {
		t.Fatal(err)
	}
	e := emulator.New(emulator.Options{})
	t.Cleanup(e.Close)
	asked := 0
	for _, m := range c.Methods() {
		if m.FacadeOnly || m.Binding == nil {
			continue
		}
		asked++
		var path strings.Builder
		for _, s := range m.Binding.Path {
			path.WriteString("/" + s.Literal)
			if s.Field != nil {
				path.WriteString("3c90c3cc-0d44-4b50-8888-8dd257360520" + s.Suffix)
			}
		}
		r := httptest.NewRequestWithContext(t.Context(), m.Binding.Verb, path.String(), nil)
		r.Header.Set("Authorization", "Bearer t")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code == http.StatusMethodNotAllowed || w.Body.String() == `{"detail":"Not Found"}` {
			t.Errorf("server/emulator/route.go has no route for %s, %s %s", m.Descriptor.Name(), m.Binding.Verb, path.String())
		}
	}
	if asked < 10 {
		t.Errorf("only %d operations were asked for", asked)
	}
}
