// Package need is for tests that need a program, a database or a terminal. If the
// machine lacks it, the test is skipped, or fails if the machine must have it.
package need

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Variable is the environment variable that lists the needs that the machine must
// meet, separated by commas: "postgres,nginx".
const Variable = "DIGATE_TEST_REQUIRE"

// Missing ends a test that lacks what it needs. It fails the test if [Variable]
// names the need, and skips the test otherwise.
func Missing(t testing.TB, name, why string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv(Variable), ","), name) {
		t.Fatalf("%s names %s: %s", Variable, name, why)
	}
	t.Skip(why)
}

// Program returns the path of a program, or ends the test as [Missing] does.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name, "this machine has no "+name)
	}
	return path
}
