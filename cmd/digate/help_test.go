package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/cmd/digate/internal/client"
)

var flagRow = regexp.MustCompile(`(?m)^ {2,6}(?:-\w, )?--([a-z0-9-]+)`)

// flagsIn returns the names of the flags that a help shows.
func flagsIn(help string) (names []string) {
	for _, m := range flagRow.FindAllStringSubmatch(help, -1) {
		names = append(names, m[1])
	}
	return names
}

// The help of a command with all settings of a server fits few screens, and says in its
// last line where the rest is.
func TestHelp_CommandWithManyFlags_ShowsThoseMostNeededAndWhereTheOthersAre(t *testing.T) {
	t.Parallel()
	parser, err := newParser(t.Context(), new(cli), discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"serve", "dev", "doctor", "config show"} {
		words := strings.Fields(command)
		help := digate(t, append(slices.Clone(words), "--help")...)
		lines := strings.Split(strings.TrimSuffix(help.Out, "\n"), "\n")
		if help.Code != client.ExitDone || len(lines) > 120 || lines[len(lines)-1] != "  digate "+command+" --help-all" {
			t.Errorf("%s: exit code %d, %d lines:\n%s", command, help.Code, len(lines), help.Out)
		}
		brief := flagsIn(help.Out)
		all := digate(t, append(slices.Clone(words), "--help-all")...)
		line, err := kong.Trace(parser, words)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, f := range line.Flags() {
			want = append(want, f.Name)
			if less := slices.Contains(lessNeeded(line), f); slices.Contains(brief, f.Name) == less {
				t.Errorf("%s --help: --%s is less needed: %t", command, f.Name, less)
			}
		}
		got := flagsIn(all.Out)
		slices.Sort(got)
		slices.Sort(want)
		if all.Code != client.ExitDone || all.Err != "" || !slices.Equal(got, want) {
			t.Errorf("%s --help-all: %+v\nhas %q\nwant %q", command, all, got, want)
		}
		if too := digate(t, append(append([]string{"help"}, words...), "--all")...); too != all {
			t.Errorf("help %s --all: %+v", command, too)
		}
	}
}

// Every other command shows all that it has.
func TestHelp_CommandWithFewFlags_IsTheSameAsAll(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"", "copy", "bulk", "ledger prune", "emulator"} {
		words := strings.Fields(command)
		help, all := digate(t, append(slices.Clone(words), "--help")...), digate(t, append(slices.Clone(words), "--help-all")...)
		if help != all || strings.Contains(help.Out, "help-all") {
			t.Errorf("%s --help:\n%s\n--help-all:\n%s", command, help.Out, all.Out)
		}
	}
}

func TestHelp_MostNeeded_AreSettingsOfServe(t *testing.T) {
	t.Parallel()
	all := flagsIn(digate(t, "serve", "--help-all").Out)
	for _, name := range mostNeeded {
		if !slices.Contains(all, name) {
			t.Errorf("serve has no --%s", name)
		}
	}
}
