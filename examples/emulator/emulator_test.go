// Package emulator runs tests in other languages that use the stand-in for Diga.
package emulator

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m, 0) }

// standIn runs `digate emulator` for the test, and returns its URL.
func standIn(t *testing.T, flags ...string) string {
	t.Helper()
	binary, err := rig.Build("cmd/digate", false)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, append([]string{"emulator", "--strict", "--emulator-addr", "127.0.0.1:0"}, flags...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := rig.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, url, ok := strings.Cut(lines.Text(), "The emulator is at "); ok {
			return url
		}
	}
	t.Fatal("digate emulator ended before it said where it is")
	return ""
}

// programs are the tests, each with what it prints where it passes.
var programs = map[string]struct{ file, ok string }{
	"python3": {"test_copy.py", "Ran 3 tests"},
	"java":    {"CopyTest.java", "OK, 3 tests"},
}

// runs runs a program, and returns what it printed and whether it succeeded.
func runs(t *testing.T, runtime, standIn string) (out string, passed bool) {
	t.Helper()
	cmd := exec.Command(need.Program(t, runtime), programs[runtime].file)
	cmd.Env = append(os.Environ(), "STAND_IN="+standIn)
	printed, err := cmd.CombinedOutput()
	return string(printed), err == nil
}

func TestPrograms_WithControl_Pass(t *testing.T) {
	t.Parallel()
	for runtime, program := range programs {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			if out, passed := runs(t, runtime, standIn(t, "--control")); !passed || !strings.Contains(out, program.ok) {
				t.Errorf("%s", out)
			}
		})
	}
}

func TestPrograms_WithoutControl_FailAndNameTheFlag(t *testing.T) {
	t.Parallel()
	for runtime := range programs {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			if out, passed := runs(t, runtime, standIn(t)); passed || !strings.Contains(out, "--control") {
				t.Errorf("%s", out)
			}
		})
	}
}
