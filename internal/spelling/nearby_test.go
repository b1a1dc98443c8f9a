package spelling_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/internal/spelling"
)

func TestNearby_IsWhatSomebodyMayHaveMeant(t *testing.T) {
	t.Parallel()
	names := []string{"addr", "var", "var-file", "var-json", "token-file", "api-key-file", "version", "grpc-addr", "http-addr", "upstream-url", strings.Repeat("x", 65)}
	for written, want := range map[string][]string{
		"adr": {"addr"}, "vars": {"var"}, "token": {"token-file"}, "api-key": {"api-key-file"}, "Addr": {"addr"},
		"ver": {"version", "var"}, "vers": {"version"}, "url": {"upstream-url"}, "file": {"var-file", "token-file", "api-key-file"},
		"grpc": {"grpc-addr"}, "v": {"var", "var-file", "var-json", "version"}, "-": nil, "": nil, "port": nil, strings.Repeat("x", 64): nil,
	} {
		got := spelling.Nearby(written, names)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", written, got, want)
		}
	}
	if got := spelling.Nearby("adr", names[1:]); !slices.Equal(got, []string{"grpc-addr", "http-addr"}) {
		t.Errorf("a word of a name: got %q", got)
	}
}
