// Command release builds what a release consists of: for each platform an archive with
// the binary, its manual pages, completions and licenses, and a software bill of
// materials; an archive with the contract for callers; and SHA256SUMS over all of them. It
// runs at the root of the repository.
//
// The same commit and the same Go toolchain give the same files, byte for byte, in any
// folder and on any machine: nothing of either is in them, and their times are that of
// the commit.
package main

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// platforms are those of a release.
const platforms = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64"

func main() {
	log.SetFlags(0)
	version := flag.String("version", "", "the `version` that the binaries print")
	chosen := flag.String("platforms", platforms, "the platforms to build for")
	output := flag.String("output", "dist", "the `folder` for the release; it must not exist, or be empty")
	fresh := flag.Bool("fresh", false, "compile everything, as a machine does that has compiled nothing before")
	flag.Parse()
	if err := build(*version, strings.Split(*chosen, ","), *output, *fresh); err != nil {
		log.Fatalf("release: %v", err)
	}
}

// build makes a release in the folder dist.
func build(version string, platforms []string, dist string, fresh bool) error {
	if version == "" || strings.ContainsAny(version, "/\\ ") {
		return fmt.Errorf("-version: %q cannot be part of a file's name", version)
	}
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return err
	}
	if there, err := os.ReadDir(dist); err != nil {
		return err
	} else if len(there) > 0 {
		return fmt.Errorf("-output: %s is not empty", dist)
	}
	when, err := commitTime()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	cache := ""
	if fresh {
		cache = filepath.Join(work, "cache")
	}

	same, err := everywhere(target{version: version, os: runtime.GOOS, arch: runtime.GOARCH, cache: cache}, work)
	if err != nil {
		return err
	}
	for _, p := range platforms {
		system, arch, ok := strings.Cut(p, "/")
		if !ok {
			return fmt.Errorf("-platforms: %q is no platform, such as linux/amd64", p)
		}
		t := target{version: version, os: system, arch: arch, cache: cache}
		log.Print(t.name())
		if err := t.release(dist, work, when, same); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	if err := writeContract(dist, version, when); err != nil {
		return err
	}
	return writeSums(dist)
}

// commitTime returns the time of all files: that of the commit, unless
// SOURCE_DATE_EPOCH says another.
func commitTime() (time.Time, error) {
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	if seconds == "" {
		out, err := run(nil, "git", "log", "-1", "--format=%ct")
		if err != nil {
			return time.Time{}, err
		}
		seconds = strings.TrimSpace(string(out))
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(n, 0).UTC(), nil
}

// everywhere returns the files that are the same in every archive. A binary for this
// machine writes those of them that are made from its commands.
func everywhere(here target, work string) ([]file, error) {
	bin := filepath.Join(work, "here")
	binary, err := here.compile(bin)
	if err != nil {
		return nil, err
	}
	man := filepath.Join(work, "man1")
	if _, err := run(nil, binary, "man", man); err != nil {
		return nil, err
	}
	var files []file
	for dir, prefix := range map[string]string{man: "man/man1/", ".": ""} {
		names := []string{"CHANGELOG.md", "LICENSE"}
		if dir == man {
			pages, err := os.ReadDir(man)
			if err != nil {
				return nil, err
			}
			names = nil
			for _, p := range pages {
				names = append(names, p.Name())
			}
		}
		for _, name := range names {
			content, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return nil, err
			}
			files = append(files, file{name: prefix + name, mode: 0o644, content: content})
		}
	}
	// The script of a shell calls digate by its name only if the PATH leads to it.
	path := []string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")}
	for shell, name := range map[string]string{"bash": "digate.bash", "zsh": "_digate", "fish": "digate.fish"} {
		script, err := run(path, binary, "completion", shell)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: "completions/" + name, mode: 0o644, content: script})
	}
	return files, nil
}

// run runs a program and returns what it prints.
func run(env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", cmd, err, &complaint)
	}
	return out, nil
}

// writeSums writes SHA256SUMS, which `sha256sum -c` reads.
func writeSums(dist string) error {
	files, err := os.ReadDir(dist)
	if err != nil {
		return err
	}
	var lines []string
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(dist, f.Name()))
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(content), f.Name()))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[sha256.Size*2:], b[sha256.Size*2:]) })
	return os.WriteFile(filepath.Join(dist, "SHA256SUMS"), []byte(strings.Join(lines, "")), 0o644)
}
