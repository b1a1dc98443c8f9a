package main

import (
	"bufio"
	"cmp"
	"debug/elf"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var updateWeight = flag.Bool("update-weight", false, "record what the binary weighs")

const (
	// recordedWeight is a line for the binary, with its size and the number of its
	// packages, and one for each module that has a part in it.
	recordedWeight = "testdata/weight.txt"
	// slack is how much more than recorded is no news, in per cent: our own code grows
	// with what it does.
	slack = 3
	own   = "github.com/digate/digate"
	std   = "std"
)

// weight is what a module, or the whole binary, brings.
type weight struct{ packages, bytes int }

// weigh holds the binary of `make build` to what is recorded: a dependency that
// joins it is named, with what it costs and who imports it, and so is what has
// grown.
func weigh(t *testing.T, binary string) {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Log("what a binary weighs is recorded for linux/amd64 alone")
		return
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	modules, importers := dependencies(t)
	whole := weight{bytes: int(info.Size())}
	for _, w := range modules {
		whole.packages += w.packages
	}
	if *updateWeight {
		attribute(t, modules)
		record(t, whole, modules)
		return
	}
	recorded := readRecord(t)
	before := recorded["binary"]
	var joined []string
	for module := range modules {
		if _, ok := recorded[module]; !ok {
			joined = append(joined, module)
		}
	}
	if len(joined) == 0 && grown(whole.bytes, before.bytes) <= slack && grown(whole.packages, before.packages) <= slack {
		return
	}
	attribute(t, modules)
	var text strings.Builder
	for _, module := range slices.SortedFunc(maps.Keys(modules), func(a, b string) int {
		return cmp.Compare(modules[b].bytes-recorded[b].bytes, modules[a].bytes-recorded[a].bytes)
	}) {
		w, r := modules[module], recorded[module]
		switch {
		case slices.Contains(joined, module):
			fmt.Fprintf(&text, "  %s joins: %d KiB in %d packages, imported by %s\n", module, w.bytes>>10, w.packages, strings.Join(importers[module], ", "))
		case w.packages > r.packages || w.bytes-r.bytes > 100<<10:
			fmt.Fprintf(&text, "  %s: %+d KiB, %+d packages\n", module, (w.bytes-r.bytes)>>10, w.packages-r.packages)
		}
	}
	t.Errorf("the binary has %d KiB and %d packages; recorded are %d and %d, and %d %% more is no news.\n%s"+
		"If it is worth that: go test ./cmd/digate -run TestMakeBuild -update-weight",
		whole.bytes>>10, whole.packages, before.bytes>>10, before.packages, slack, &text)
}

// grown returns by how many per cent a number is greater than another.
func grown(now, before int) int { return 100 * (now - before) / max(before, 1) }

// dependencies returns the modules whose packages are in the binary, with the number
// of the packages, and for each which packages of others import one of them.
func dependencies(t *testing.T) (modules map[string]weight, importers map[string][]string) {
	t.Helper()
	const format = "{{with .Module}}{{.Path}}{{else}}" + std + "{{end}} {{.ImportPath}} {{join .Imports \" \"}}"
	list := exec.Command("go", "list", "-deps", "-f", format, ".")
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	modules, importers = make(map[string]weight), make(map[string][]string)
	moduleOf := make(map[string]string)
	for line := range strings.Lines(string(out)) { // a package is behind its imports
		fields := strings.Fields(line)
		module, name := fields[0], fields[1]
		moduleOf[name] = module
		w := modules[module]
		w.packages++
		modules[module] = w
		for _, imported := range fields[2:] {
			if m := moduleOf[imported]; m != module && m != std && !slices.Contains(importers[m], name) {
				importers[m] = append(importers[m], name)
			}
		}
	}
	return modules, importers
}

// attribute sets how many bytes of code and data each module has in the binary, by
// the names of the symbols of one that is not stripped.
func attribute(t *testing.T, modules map[string]weight) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "digate")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	binary, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	symbols, err := binary.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	// The longest first, since one path may begin with another.
	paths := slices.SortedFunc(maps.Keys(modules), func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, s := range symbols {
		// What is zero at the start has no place in the file.
		if int(s.Section) >= len(binary.Sections) || binary.Sections[s.Section].Type == elf.SHT_NOBITS {
			continue
		}
		module := std
		name := strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(s.Name, "type:"), "go:itab."), "*[].")
		for _, path := range paths {
			if strings.HasPrefix(name, path) {
				module = path
				break
			}
		}
		w := modules[module]
		w.bytes += int(s.Size)
		modules[module] = w
	}
}

func record(t *testing.T, whole weight, modules map[string]weight) {
	t.Helper()
	var text strings.Builder
	text.WriteString("# What the binary of `make build` weighs: packages, KiB, and whose they are. A module's KiB are\n" +
		"# those of its code and data; the tables of the runtime are the binary's alone.\n" +
		"# Written by: go test ./cmd/digate -run TestMakeBuild -update-weight\n")
	line := func(name string, w weight) { fmt.Fprintf(&text, "%5d %6d %s\n", w.packages, w.bytes>>10, name) }
	line("binary", whole)
	for _, module := range slices.SortedFunc(maps.Keys(modules), func(a, b string) int {
		return cmp.Or(cmp.Compare(modules[b].bytes>>10, modules[a].bytes>>10), cmp.Compare(a, b))
	}) {
		line(module, modules[module])
	}
	if err := os.WriteFile(recordedWeight, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readRecord(t *testing.T) map[string]weight {
	t.Helper()
	file, err := os.Open(recordedWeight)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	recorded := make(map[string]weight)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		fields := strings.Fields(lines.Text())
		packages, err := strconv.Atoi(fields[0])
		if err != nil {
			t.Fatal(err)
		}
		kib, err := strconv.Atoi(fields[1])
		if err != nil {
			t.Fatal(err)
		}
		recorded[fields[2]] = weight{packages, kib << 10}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return recorded
}
