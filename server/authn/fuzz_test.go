package authn_test

import (
	"strings"
	"testing"

	"github.com/digate/digate/server/authn"
)

// FuzzBearer reads any authorization header: a token of visible characters that was in it,
// or an error that does not quote it.
func FuzzBearer(f *testing.F) {
	for _, s := range []string{"Bearer t", "bearer  t ", "Bearer", "Bearer ", "Basic dTpw", "Bearer a b", "Bearer t\n", "Bearer é", "\x00", "BEARER\tt"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		token, err := authn.Bearer([]string{header})
		if err != nil {
			if len(header) > 20 && strings.Contains(err.Error(), header) || token != "" {
				t.Errorf("%q: %q, %v", header, token, err)
			}
			return
		}
		if token == "" || !strings.Contains(header, token) || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
			t.Errorf("%q has the token %q", header, token)
		}
	})
}
