package conformance

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var whole = flag.Bool("conformance", false, "fetch the suites and run them")

// result is what a server made of a suite.
type result struct {
	suite, server, transport string
	cases, skipped, failed   int
	// failures are what the suite says of each case that failed, by the case's name.
	// Variants of a case have one name.
	failures map[string][]string
}

// TestSuites runs the suites, and holds their results to the exceptions and to the page.
func TestSuites(t *testing.T) {
	if !*whole {
		t.Skip("it fetches the suites and takes a minute or two: make conformance")
	}
	results := append(testConnectRPC(t), testH2spec(t)...)
	if !t.Failed() {
		holdPage(t, results)
	}
}

// buildTool builds a command that is pinned in a module below tools, and returns its path.
func buildTool(t *testing.T, module, command string) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), module)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-modfile=tools/"+module+"/go.mod", "-o", path, command)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", command, err, out)
	}
	return path
}

// beyond returns the cases that a server fails and another passes, sorted.
func (r *result) beyond(other *result) (names []string) {
	for name := range r.failures {
		if _, fails := other.failures[name]; !fails {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// hold fails the test for each case that the server fails and the other passes, unless the
// list of exceptions has it.
func (r *result) hold(t *testing.T, other *result, list []*exception) {
	t.Helper()
	for _, name := range r.beyond(other) {
		e := find(list, name)
		if e == nil {
			t.Errorf("%s, %s: %q fails, and passes at %s:\n%s", r.suite, r.server, name, other.server, strings.Join(r.failures[name], "\n"))
			continue
		}
		for _, text := range r.failures[name] {
			if !e.says.MatchString(text) {
				t.Errorf("%s, %s: %q fails in another way than its exception says, %q:\n%s", r.suite, r.server, name, e.says, text)
			}
		}
	}
}
