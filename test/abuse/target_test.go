package abuse

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/digate/digate/test/rig"
)

// memoryLimit is that of the example in docs/limits.md.
const memoryLimit = "GOMEMLIMIT=400MiB"

// container is the memory of the container, in MiB, of which that limit is nine
// tenths, as docs/limits.md says.
const container = 444

// target is a server under attack, in a process of its own.
type target struct {
	addr string
	pid  int
	log  string // its file; empty for none
}

var binaryDir string

// binaries builds a digate and a bare server when it is first called, without the
// race detector: what is measured are the servers.
var binaries = sync.OnceValues(func() (dir string, err error) {
	if err := rig.Build(filepath.Join(binaryDir, "digate"), false); err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", filepath.Join(binaryDir, "bare"), "github.com/digate/digate/test/abuse/bare").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binaryDir, nil
})

// startDigate starts a digate with its default settings, before an upstream that
// makes each copy at once.
func startDigate(t *testing.T, dir string) *target {
	t.Helper()
	up, err := rig.NewUpstream(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = up.Close() })
	log := filepath.Join(t.TempDir(), "digate.log")
	s, err := rig.ServeIn([]string{memoryLimit}, filepath.Join(dir, "digate"), log, "--upstream-url", up.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return &target{addr: s.GRPC, pid: s.PID(), log: log}
}

// startBare starts a bare server. It ends with its standard input at the latest.
func startBare(t *testing.T, dir string) *target {
	t.Helper()
	cmd := exec.Command(filepath.Join(dir, "bare"))
	cmd.Env = append(rig.Environment(), memoryLimit)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return &target{addr: strings.TrimSpace(addr), pid: cmd.Process.Pid}
}

// logged returns the number of lines in the log.
func (s *target) logged(t *testing.T) int {
	t.Helper()
	if s.log == "" {
		return 0
	}
	b, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte{'\n'})
}

// memory returns what the process has in memory, in MiB: now (VmRSS) or at most so
// far (VmHWM). It is 0 where the process is gone.
func (s *target) memory(key string) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			kib, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return kib >> 10
		}
	}
	return 0
}
