package main

import (
	"runtime/debug"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
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
