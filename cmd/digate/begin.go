package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/term"
)

// firstSteps are the commands to begin with, by task.
var firstSteps = []struct {
	errand   string
	commands [][2]string
}{
	{"Try it; nothing else is needed:", [][2]string{
		{"dev", "runs everything on this machine, with an emulator of Diga, and prints what to do next"},
	}},
	{"Run it in front of Diga:", [][2]string{
		{"doctor", "checks the settings, and the network up to Diga"},
		{"serve", "runs it"},
	}},
	{"Use one that runs, with the token in DIGATE_TOKEN:", [][2]string{
		{"templates list", "shows the templates"},
		{"copy", "makes an integration from a template, and asks which"},
		{"bulk FILE", "makes one for each row of a file"},
	}},
}

// narrow is the width in columns below which descriptions get lines of their own.
const narrow = 64

// begin writes what to do first, for somebody who runs digate without arguments. self is
// the command name by which a shell finds this program; columns is the width of the
// terminal, or 0.
func begin(w io.Writer, self string, columns int) {
	if columns == 0 {
		columns = 80
	}
	columns = min(columns, 100)
	var b strings.Builder
	lines := func(first, rest, text string) {
		for i, line := range term.Wrap(text, columns-len(rest)) {
			if i == 0 {
				b.WriteString(first + line + "\n")
			} else {
				b.WriteString(rest + line + "\n")
			}
		}
	}
	lines("", "", "A typed gRPC contract, and the same REST, in front of Diga's integration API.")
	width := len(self) + len(" templates list")
	for _, step := range firstSteps {
		b.WriteByte('\n')
		lines("", "", step.errand)
		for _, command := range step.commands {
			call := self + " " + command[0]
			if columns < narrow {
				b.WriteString("  " + call + "\n")
				lines("      ", "      ", command[1])
				continue
			}
			lines(fmt.Sprintf("  %-*s  ", width, call), strings.Repeat(" ", width+4), command[1])
		}
	}
	b.WriteByte('\n')
	lines("", "", fmt.Sprintf("%[1]s --help lists all commands, %[1]s COMMAND --help what one takes.", self))
	_, _ = io.WriteString(w, b.String())
}
