package examples

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/internal/need"
)

const (
	// building bounds a block of a README that prepares: some fetch and compile libraries.
	building = 15 * time.Minute
	// running bounds a run of a client, on a machine that is busy.
	running = 2 * time.Minute
	// grace is the time for a killed block's children to let go of its output.
	grace = 5 * time.Second
)

// prepare runs the blocks of the README before the last one, and returns the last one.
func (c client) prepare(t *testing.T) (last string) {
	t.Helper()
	for _, program := range c.needs {
		need.Program(t, program)
	}
	text, err := os.ReadFile(filepath.Join(c.path(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := blocksOf(string(text))
	if len(blocks) == 0 {
		t.Fatalf("the README of %s has no block of sh", c.dir)
	}
	last = blocks[len(blocks)-1]
	for _, block := range blocks[:len(blocks)-1] {
		if _, err := c.shell(t, building, block, nil); err != nil {
			t.Fatalf("%v\n%s", err, block)
		}
	}
	return last
}

// path returns the client's directory.
func (c client) path() string { return filepath.Join("..", "..", "examples", c.dir) }

// shell runs commands in the client's directory, with more variables in the environment.
// The first command that fails ends them, and so does the most time that they may take.
// It returns their standard output.
func (c client) shell(t *testing.T, most time.Duration, commands string, environment []string) (out string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	cmd := exec.CommandContext(ctx, need.Program(t, "bash"), "-euo", "pipefail", "-c", commands)
	cmd.Dir = c.path()
	cmd.WaitDelay = grace
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "DIGATE_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, environment...)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	return string(output), err
}

// blocksOf returns the code of a page's blocks of sh.
func blocksOf(page string) []string {
	var blocks []string
	for {
		_, after, found := strings.Cut(page, "\n```sh\n")
		if !found {
			return blocks
		}
		block, rest, _ := strings.Cut(after, "\n```")
		blocks, page = append(blocks, block), rest
	}
}
