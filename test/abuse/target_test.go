package abuse

import (
	"bytes"
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/digate/digate/test/rig"
)

// memoryLimit is the one in the example of docs/limits.md.
const memoryLimit = "GOMEMLIMIT=400MiB"

// container is the memory of the container, in MiB. The limit is nine tenths of it, as
// docs/limits.md says.
const container = 444

// target is a server under attack, in a process of its own.
type target struct {
	*rig.Server

	log    string      // its file
	client *tls.Config // of whoever calls it, nil for plain text
}

// startDigate starts a digate with its default settings, before an upstream that
// makes each copy at once.
func startDigate(t *testing.T) *target {
	t.Helper()
	up, err := rig.NewUpstream(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = up.Close() })
	return startTarget(t, rig.ServeCommand(build(t, "cmd/digate"), "--upstream-url", up.URL()))
}

// startSecured is startDigate with TLS.
func startSecured(t *testing.T) *target {
	t.Helper()
	p := newPair(t)
	up, err := rig.NewUpstream(nil)
	must(t, err)
	t.Cleanup(func() { _ = up.Close() })
	s := startTarget(t, rig.ServeCommand(build(t, "cmd/digate"), append(p.flags(), "--upstream-url", up.URL())...))
	s.client = p.client
	return s
}

// startBare starts a bare server.
func startBare(t *testing.T) *target {
	t.Helper()
	cmd := exec.Command(build(t, "test/abuse/bare"))
	cmd.Env = rig.Environment()
	return startTarget(t, cmd)
}

// build builds a command without the race detector: what is measured are the
// servers.
func build(t *testing.T, command string) string {
	t.Helper()
	path, err := rig.Build(command, false)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func startTarget(t *testing.T, cmd *exec.Cmd) *target {
	t.Helper()
	cmd.Env = append(cmd.Env, memoryLimit)
	log := filepath.Join(t.TempDir(), "log")
	s, err := rig.StartServer(cmd, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return &target{Server: s, log: log}
}

// logged returns the number of lines in the log.
func (s *target) logged(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte{'\n'})
}

// memory returns what the process has in memory, in MiB: now (VmRSS) or at most so
// far (VmHWM).
func (s *target) memory(t *testing.T, key string) int {
	t.Helper()
	n, err := s.Memory(key)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}
