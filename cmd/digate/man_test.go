package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/internal/need"
)

func writeManual(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "man1")
	if got := digate(t, "man", dir); got.Code != client.ExitDone || got.Out+got.Err != "" {
		t.Fatalf("exit code %d, %q", got.Code, got.Out+got.Err)
	}
	return dir
}

func TestMan_WritesEveryCommandAndFlag(t *testing.T) {
	t.Parallel()
	dir := writeManual(t)
	parser, err := newParser(t.Context(), new(cli), discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	var look func(node *kong.Node)
	look = func(node *kong.Node) {
		file := strings.ReplaceAll(node.FullPath(), " ", "-") + ".1"
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
			return
		}
		pages++
		for _, flags := range node.AllFlags(true) {
			for _, f := range flags {
				if !strings.Contains(string(text), `\fB\-\-`+strings.ReplaceAll(f.Name, "-", `\-`)+`\fR`) {
					t.Errorf("%s: no --%s", file, f.Name)
				}
				for _, variable := range f.Envs {
					if !strings.Contains(string(text), variable) {
						t.Errorf("%s: no %s", file, variable)
					}
				}
			}
		}
		for _, child := range node.Children {
			if !child.Hidden {
				look(child)
			}
		}
	}
	look(parser.Model.Node)
	if files, err := os.ReadDir(dir); err != nil || len(files) != pages {
		t.Errorf("%d files for %d pages, %v", len(files), pages, err)
	}
}

// groff warns of what it would not print as it was meant.
func TestMan_IsGoodRoff(t *testing.T) {
	t.Parallel()
	groff := need.Program(t, "groff")
	files, err := filepath.Glob(filepath.Join(writeManual(t), "*.1"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d pages, %v", len(files), err)
	}
	for _, file := range files {
		cmd := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z", file)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", filepath.Base(file), err, out)
		}
	}
}
