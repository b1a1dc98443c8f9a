package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is set when a release is linked: -ldflags "-X main.release=v1.2.3".
var release string

type versionCmd struct{}

func (versionCmd) Run(std stdio) error {
	_, err := fmt.Fprintf(std.out, "digate %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// version is the release, or what the Go toolchain recorded of the source.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
