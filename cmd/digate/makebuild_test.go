package main

import (
	"debug/buildinfo"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/internal/need"
)

// makeBuild builds the command with `make build`.
func makeBuild(t *testing.T) (path string) {
	t.Helper()
	need.Program(t, "make")
	path = filepath.Join(t.TempDir(), "digate")
	if out, err := exec.Command("make", "-C", "../..", "build", "VERSION=v1.2.3-4-g0123456", "BINARY="+path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// The binary prints the version that `make build` links in, needs no library of the
// machine, and has nothing in it that only a debugger reads.
func TestMakeBuild_IsStampedStaticAndStripped(t *testing.T) {
	t.Parallel()
	path := makeBuild(t)
	out, err := exec.Command(path, "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "digate v1.2.3-4-g0123456 ") {
		t.Errorf("got %q, %v", out, err)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(info.Settings, debug.BuildSetting{Key: "CGO_ENABLED", Value: "0"}) {
		t.Errorf("not a static binary: %v", info.Settings)
	}
	for _, s := range info.Settings {
		if s.Key == "-ldflags" && !strings.HasPrefix(s.Value, "-s -w ") {
			t.Errorf("linked with %s", s.Value)
		}
	}
	if symbols, err := exec.Command("go", "tool", "nm", path).CombinedOutput(); err == nil && len(symbols) > 0 {
		t.Errorf("the binary has symbols: %.80s", symbols)
	}
	weigh(t, path)
}
