package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// target is a platform of a release.
type target struct {
	version, os, arch string
	cache             string // a build cache in place of Go's own
}

// name begins the names of the target's files.
func (t target) name() string { return strings.Join([]string{"digate", t.version, t.os, t.arch}, "-") }

// release writes the target's archive and bill of materials into dist.
func (t target) release(dist, work string, when time.Time, same []file) error {
	binary, err := t.compile(filepath.Join(work, t.name()))
	if err != nil {
		return err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	licenses, err := t.licenses()
	if err != nil {
		return err
	}
	files := append(slices.Clone(same),
		file{name: filepath.Base(binary), mode: 0o755, content: content},
		file{name: "THIRD-PARTY-LICENSES", mode: 0o644, content: licenses})
	if t.os == "linux" {
		units, err := filepath.Glob("deploy/systemd/digate*")
		if err != nil {
			return err
		}
		for _, path := range units {
			unit, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files = append(files, file{name: filepath.Base(path), mode: 0o644, content: unit})
		}
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	if err := t.archive(dist, when, files); err != nil {
		return err
	}
	_, err = run(nil, "go", "tool", "-modfile=tools/cyclonedx-gomod/go.mod", "cyclonedx-gomod", "bin",
		"-json", "-std", "-noserial", "-notimestamp", "-version", t.version, "-output", filepath.Join(dist, t.name()+".cdx.json"), binary)
	return err
}

// archive writes a zip for Windows and a tar.gz for any other system.
func (t target) archive(dist string, when time.Time, files []file) error {
	suffix, write := ".tar.gz", writeTar
	if t.os == "windows" {
		suffix, write = ".zip", writeZip
	}
	out, err := os.Create(filepath.Join(dist, t.name()+suffix))
	if err != nil {
		return err
	}
	return errors.Join(write(out, t.name(), when, files), out.Close())
}

// compile builds the binary in a folder and returns its path.
func (t target) compile(dir string) (string, error) {
	binary := filepath.Join(dir, "digate")
	if t.os == "windows" {
		binary += ".exe"
	}
	_, err := run(t.environment(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.linked="+t.version, "-o", binary, "./cmd/digate")
	return binary, err
}

// environment fixes what decides about the machine code and is not in the repository,
// but for the toolchain itself.
func (t target) environment() []string {
	fixed := []string{
		"GOOS=" + t.os, "GOARCH=" + t.arch, "GOAMD64=v1", "GOARM64=v8.0",
		"CGO_ENABLED=0", "GOEXPERIMENT=", "GOFIPS140=off", "GOFLAGS=", "GOWORK=off",
	}
	if t.cache != "" {
		fixed = append(fixed, "GOCACHE="+t.cache)
	}
	return fixed
}
