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
func standIn(t *testing.T) string {
	t.Helper()
	binary, err := rig.Build("cmd/digate", false)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "emulator", "--control", "--strict", "--emulator-addr", "127.0.0.1:0")
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
		if _, url, ok := strings.Cut(lines.Text(), "The stand-in for Diga is at "); ok {
			return url
		}
	}
	t.Fatal("digate emulator ended before it said where it is")
	return ""
}

// passes runs a program, which must succeed and say so.
func passes(t *testing.T, ok string, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "STAND_IN="+standIn(t))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), ok) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestPython_Passes(t *testing.T) {
	t.Parallel()
	python := need.Program(t, "python3")
	passes(t, "Ran 3 tests", python, "test_copy.py")
}

func TestJava_Passes(t *testing.T) {
	t.Parallel()
	java := need.Program(t, "java")
	passes(t, "OK, 3 tests", java, "CopyTest.java")
}
