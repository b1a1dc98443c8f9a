package main

import (
	"debug/buildinfo"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/internal/need"
)

func TestVersion_IsOneLine(t *testing.T) {
	t.Parallel()
	got := digate(t, "version")
	if flag := digate(t, "--version"); flag != got {
		t.Errorf("--version: %+v", flag)
	}
	if got.Code != client.ExitDone || got.Err != "" || !strings.HasPrefix(got.Out, "digate ") || strings.Count(got.Out, "\n") != 1 {
		t.Errorf("%+v", got)
	}
}

func TestVersion_WithoutAStamp_IsWhatTheToolchainRecorded(t *testing.T) {
	t.Parallel()
	const revision = "0123456789abcdef0123456789abcdef01234567"
	for name, tc := range map[string]struct {
		version, revision, modified string
		want                        string
	}{
		"a release":                       {"v1.2.3", "", "", "v1.2.3"},
		"a commit after a release":        {"v1.2.4-0.20260102030405-0123456789ab", revision, "false", "v1.2.4-0.20260102030405-0123456789ab"},
		"changes after a release":         {"v1.2.4-0.20260102030405-0123456789ab+dirty", revision, "true", "v1.2.4-0.20260102030405-0123456789ab+dirty"},
		"a commit without a tag":          {"v0.0.0-20260102030405-0123456789ab", revision, "false", "v0.0.0-20260102030405-0123456789ab"},
		"changes without a tag":           {"v0.0.0-20260102030405-0123456789ab+dirty", revision, "true", ""},
		"only the commit is known":        {"(devel)", revision, "false", "0123456789ab"},
		"only the changes are known":      {"(devel)", revision, "true", ""},
		"no repository":                   {"(devel)", "", "", ""},
		"nothing, as in some test builds": {"", "", "", ""},
	} {
		info := &debug.BuildInfo{Main: debug.Module{Version: tc.version}}
		for key, value := range map[string]string{"vcs.revision": tc.revision, "vcs.modified": tc.modified} {
			if value != "" {
				info.Settings = append(info.Settings, debug.BuildSetting{Key: key, Value: value})
			}
		}
		if got := recorded(info); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
	if got := recorded(nil); got != "" {
		t.Errorf("without build info: got %q", got)
	}
}

func TestVersion_IsATokenOfAUserAgent(t *testing.T) {
	t.Parallel()
	for _, tc := range [][2]string{
		{"v1.2.3-4-g0123456-dirty", "v1.2.3-4-g0123456-dirty"},
		{"v1.2.4-0.2026+dirty", "v1.2.4-0.2026+dirty"},
		{"release/1.2 (ä)\r\n", "release-1.2------"},
	} {
		if got := productToken(tc[0]); got != tc[1] {
			t.Errorf("got %q, want %q", got, tc[1])
		}
	}
}

// The binary prints the version that `make build` links in, and needs no library
// of the machine.
func TestMakeBuild_IsStampedAndStatic(t *testing.T) {
	t.Parallel()
	need.Program(t, "make")
	path := filepath.Join(t.TempDir(), "digate")
	if out, err := exec.Command("make", "-C", "../..", "build", "VERSION=v1.2.3-4-g0123456", "BINARY="+path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
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
}
