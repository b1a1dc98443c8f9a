// Package man writes manual pages of a command line in roff, from the model that
// also parses the command line.
package man

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/alecthomas/kong"
)

// Write writes a page for the program and one for each command, such as
// digate-ledger-show.1, into a folder, which it creates. Hidden commands and flags
// have no place in the pages.
func Write(dir string, app *kong.Application, version string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, node := range append([]*kong.Node{app.Node}, below(app.Node)...) {
		file := filepath.Join(dir, name(node)+".1")
		if err := os.WriteFile(file, []byte(page(node, version)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// below returns the commands below a node, at every depth.
func below(node *kong.Node) (all []*kong.Node) {
	for _, child := range node.Children {
		if !child.Hidden {
			all = append(append(all, child), below(child)...)
		}
	}
	return all
}

// name returns the name of a node's page, such as digate-ledger-show.
func name(node *kong.Node) string { return strings.ReplaceAll(node.FullPath(), " ", "-") }

func page(node *kong.Node, version string) string {
	var b strings.Builder
	program, _, _ := strings.Cut(node.FullPath(), " ")
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"%s %s\"\n", escape(strings.ToUpper(name(node))), program, escape(version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(name(node)), escape(strings.TrimSuffix(node.Help, ".")))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", escape(synopsis(node)))
	if node.Detail != "" {
		b.WriteString(".SH DESCRIPTION\n" + text(node.Detail))
	}
	if len(node.Positional) > 0 {
		b.WriteString(".SH ARGUMENTS\n")
		for _, p := range node.Positional {
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fR\n%s\n", escape(p.Summary()), escape(p.Help))
		}
	}
	options(&b, node)
	if len(node.Children) > 0 {
		b.WriteString(".SH COMMANDS\n")
		for _, c := range below(node) {
			if c.Leaf() {
				fmt.Fprintf(&b, ".TP\n\\fB%s\\fR(1)\n%s\n", escape(name(c)), escape(c.Help))
			}
		}
	}
	if node.Parent != nil {
		fmt.Fprintf(&b, ".SH SEE ALSO\n\\fB%s\\fR(1)\n", escape(name(node.Parent)))
	}
	return b.String()
}

func synopsis(node *kong.Node) string {
	program, _, _ := strings.Cut(node.FullPath(), " ")
	return strings.TrimSpace(program + " " + node.Summary())
}

// options writes the flags of a node and of those above it, in the order and the
// groups of --help.
func options(b *strings.Builder, node *kong.Node) {
	b.WriteString(".SH OPTIONS\n")
	group := ""
	for _, flags := range node.AllFlags(true) {
		for _, f := range flags {
			if f.Group != nil && f.Group.Title != group {
				group = f.Group.Title
				fmt.Fprintf(b, ".SS %s\n", escape(group))
			}
			b.WriteString(".TP\n")
			if f.Short != 0 {
				fmt.Fprintf(b, "\\fB%s\\fR, ", escape("-"+string(f.Short)))
			}
			fmt.Fprintf(b, "\\fB%s\\fR", escape("--"+f.Name))
			if !f.IsBool() {
				fmt.Fprintf(b, "=\\fI%s\\fR", escape(f.FormatPlaceHolder()))
			}
			fmt.Fprintf(b, "\n%s\n", escape(f.Help))
			for _, variable := range f.Envs {
				fmt.Fprintf(b, "Environment: \\fB%s\\fR.\n", variable)
			}
		}
	}
}

// text writes paragraphs. Indented lines keep their breaks and spaces.
func text(s string) string {
	var b strings.Builder
	kept := false
	keep := func(now bool) {
		if now != kept {
			b.WriteString(map[bool]string{true: ".nf\n", false: ".fi\n"}[now])
		}
		kept = now
	}
	for line := range strings.Lines(strings.TrimSpace(s)) {
		line = strings.TrimRight(line, "\n ")
		if line == "" {
			keep(false)
			b.WriteString(".PP\n")
			continue
		}
		keep(strings.HasPrefix(line, " "))
		b.WriteString(escape(line) + "\n")
	}
	keep(false)
	return b.String()
}

// escape returns text as roff prints it: a hyphen that can be pasted into a shell, ASCII
// alone, and no line that begins a request.
func escape(s string) string {
	var b strings.Builder
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		b.WriteString(`\&`)
	}
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r == '\n':
			b.WriteByte(' ')
		case r > unicode.MaxASCII:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
