// Package docs has no code: its tests hold the repository's Markdown pages to
// the digate that is built from the same tree.
package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/digate/digate/test/rig"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "grpcurl" {
		os.Exit(grpcurl(os.Args[1:]))
	}
	rig.Main(m, 0)
}

// digate returns the path of a digate built from this tree.
func digate(t *testing.T) string {
	t.Helper()
	path, err := rig.Build("cmd/digate", false)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// help returns what `digate ARGS --help` prints.
func help(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(digate(t), append(args, "--help-all")...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("digate %s --help: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

var commandLine = regexp.MustCompile(`(?m)^  ([a-z]+(?: [a-z]+)?)  `)

// commands returns the names of all commands, such as "copy" and "ledger show".
func commands(t *testing.T) []string {
	t.Helper()
	_, list, ok := strings.Cut(help(t), "\nCommands:\n")
	if !ok {
		t.Fatal("digate --help lists no commands")
	}
	var names []string
	for _, m := range commandLine.FindAllStringSubmatch(list, -1) {
		names = append(names, m[1])
	}
	if len(names) < 10 {
		t.Fatalf("digate --help lists only %q", names)
	}
	return names
}

// option is a flag as --help shows it.
type option struct{ name, group, value string }

var (
	optionLine = regexp.MustCompile(`^ {2,}(?:-\w, )? *--([a-z0-9-]+)(?:=("[^"]*"|\S+))?`)
	groupLine  = regexp.MustCompile(`^(\w[\w ]*):$`)
)

// options returns the flags of a command.
func options(t *testing.T, command string) []option {
	t.Helper()
	var all []option
	group := ""
	for line := range strings.Lines(help(t, strings.Fields(command)...)) {
		line = strings.TrimSuffix(line, "\n")
		if m := groupLine.FindStringSubmatch(line); m != nil {
			group = m[1]
		} else if m := optionLine.FindStringSubmatch(line); m != nil {
			all = append(all, option{m[1], group, strings.Trim(m[2], `"`)})
		}
	}
	return all
}
