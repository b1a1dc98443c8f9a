package emulator

import (
	"os"
	"strings"
	"testing"
)

// The page for those who control the emulator has every route, field, operation and fault.
func TestTestingAgainstIt_NamesEverythingThatControlTakes(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/testing-against-it.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "\n## Control\n")
	text, _, _ = strings.Cut(text, "\n## ")
	wants := func(what string) {
		t.Helper()
		if !strings.Contains(text, what) {
			t.Errorf("the section on control does not have %s", what)
		}
	}
	for _, r := range controlRoutes() {
		wants("`" + r.method + " " + controlPrefix + strings.Replace(r.path, "faults/", "faults/NAME", 1) + "`")
	}
	for _, f := range ruleFields {
		wants("\n| `" + f.name + "` | ")
	}
	for _, fields := range [][]field{responseFields, matchFields[:len(matchFields)-1], callsQuery()[len(matchFields):]} {
		for _, f := range fields {
			wants("`" + f.name + "`")
		}
	}
	for _, name := range Operations() {
		wants("`" + name + "`")
	}
	for _, f := range faults {
		wants("`" + f.Name + "`")
	}
}
