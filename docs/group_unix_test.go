//go:build unix

package docs

import (
	"os/exec"
	"syscall"
	"testing"
)

// startGroup starts a process, and returns what kills it and all that it started.
func startGroup(t *testing.T, cmd *exec.Cmd) (kill func()) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
