//go:build !unix

package docs

import (
	"os/exec"
	"testing"
)

// startGroup starts a process, and returns what kills it.
func startGroup(t *testing.T, cmd *exec.Cmd) (kill func()) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() { _ = cmd.Process.Kill() }
}
