package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/cmd/digate/internal/term"
)

// linked is set by `make build`: -ldflags "-X main.linked=v1.2.3".
var linked string

// devel is the version of a binary whose source has no version.
const devel = "devel"

type versionCmd struct{}

func (versionCmd) Run(std term.IO) error { return printVersion(std) }

// versionFlag is --version, which does the same as the command version.
type versionFlag bool

// BeforeReset implements kong's hook.
func (versionFlag) BeforeReset(k *kong.Kong, std term.IO) error {
	k.Exit(0)
	return printVersion(std)
}

func printVersion(std term.IO) error {
	_, err := fmt.Fprintf(std.Out, "digate %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// version returns the version of the binary's source. Diga gets it in the User-Agent.
func version() string {
	info, _ := debug.ReadBuildInfo()
	return productToken(cmp.Or(linked, recorded(info), devel))
}

// recorded returns the version that the Go toolchain stored in the binary, or otherwise
// the commit. It returns "" if there is neither: with uncommitted changes in a repository
// without a tag, or without a repository.
func recorded(info *debug.BuildInfo) string {
	if info == nil {
		return ""
	}
	untagged := strings.HasPrefix(info.Main.Version, "v0.0.0-")
	if v := info.Main.Version; v != "" && v != "(devel)" && !(untagged && strings.HasSuffix(v, "+dirty")) {
		return v
	}
	vcs := make(map[string]string)
	for _, s := range info.Settings {
		vcs[s.Key] = s.Value
	}
	if vcs["vcs.modified"] == "true" {
		return ""
	}
	revision := vcs["vcs.revision"]
	return revision[:min(len(revision), 12)]
}

// productToken replaces the characters that RFC 9110 does not permit in a token, such as
// the slash in a tag's name, so that the text can be part of a User-Agent.
func productToken(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r) {
			return r
		}
		return '-'
	}, s)
}
