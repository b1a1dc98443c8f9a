package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// completeCommand is the command that the scripts of `digate completion` call,
// with the words of the line behind a --, the one to complete last. It prints a
// candidate a line, with a tab and what it is behind it, or completeFiles alone.
const completeCommand = "__complete"

// completeFiles stands for the names of files, which the shell knows.
const completeFiles = ":files"

// maxAbout bounds what is said of a candidate, in columns.
const maxAbout = 60

// candidate is what a word may become.
type candidate struct{ value, about string }

// complete prints the candidates. Whoever is typing must not be disturbed, so
// what goes wrong ends in fewer of them.
func complete(ctx context.Context, args []string, out io.Writer) {
	if len(args) < 2 || args[0] != "--" {
		return
	}
	l, err := readLineSoFar(ctx, args[1:])
	if err != nil {
		return
	}
	w := bufio.NewWriter(out)
	defer func() { _ = w.Flush() }()
	for _, c := range l.candidates(ctx) {
		if c.value != completeFiles && !strings.HasPrefix(c.value, l.word) {
			continue
		}
		_, _ = w.WriteString(printable(c.value))
		if c.about != "" {
			_, _ = w.WriteString("\t" + cut(printable(oneLine.Replace(c.about)), maxAbout))
		}
		_ = w.WriteByte('\n')
	}
}

// lineSoFar is a command line up to the word that is being completed.
type lineSoFar struct {
	parser  *kong.Kong
	command *kong.Node
	args    []string   // the positional arguments
	flags   []string   // the flags, as --name=value
	pending *kong.Flag // the flag that the word is the value of
	onlyArg bool       // a -- came before
	word    string
}

func readLineSoFar(ctx context.Context, words []string) (*lineSoFar, error) {
	parser, err := newParser(ctx, &cli{}, stdio{strings.NewReader(""), io.Discard, io.Discard}, func(int) {})
	if err != nil {
		return nil, err
	}
	l := &lineSoFar{parser: parser, command: parser.Model.Node}
	last := len(words) - 1
	for _, word := range words[:last] {
		l.take(unquote(word))
	}
	l.word = words[last]
	return l, nil
}

// take reads a word before the one to complete.
func (l *lineSoFar) take(word string) {
	switch {
	case l.pending != nil:
		l.setFlag(l.pending, word)
		l.pending = nil
	case l.onlyArg:
		l.args = append(l.args, word)
	case word == "--":
		l.onlyArg = true
	case strings.HasPrefix(word, "-") && word != "-":
		name, value, given := strings.Cut(word, "=")
		f := l.flag(name)
		switch {
		case f == nil:
		case given:
			l.setFlag(f, value)
		case f.IsBool():
			l.flags = append(l.flags, "--"+f.Name)
		default:
			l.pending = f
		}
	default:
		if child := l.child(word); child != nil {
			l.command = child
			return
		}
		l.args = append(l.args, word)
	}
}

func (l *lineSoFar) setFlag(f *kong.Flag, value string) {
	l.flags = append(l.flags, "--"+f.Name+"="+value)
}

func (l *lineSoFar) child(name string) *kong.Node {
	for _, c := range l.command.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// flag finds --name or -n.
func (l *lineSoFar) flag(word string) *kong.Flag {
	for _, group := range l.command.AllFlags(true) {
		for _, f := range group {
			if word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short) {
				return f
			}
		}
	}
	return nil
}

// candidates returns what the word may become; not all need begin as it does.
func (l *lineSoFar) candidates(ctx context.Context) []candidate {
	if l.pending != nil {
		return l.valuesOf(ctx, l.pending)
	}
	if !l.onlyArg && strings.HasPrefix(l.word, "-") {
		name, _, given := strings.Cut(l.word, "=")
		if !given {
			return l.flagNames()
		}
		f := l.flag(name)
		if f == nil {
			return nil
		}
		values := l.valuesOf(ctx, f)
		for i := range values {
			if values[i].value != completeFiles {
				values[i].value = name + "=" + values[i].value
			}
		}
		return values
	}
	var found []candidate
	for _, c := range l.command.Children {
		if !c.Hidden {
			found = append(found, candidate{c.Name, c.Help})
		}
	}
	if found != nil {
		return found
	}
	return l.arguments(ctx)
}

func (l *lineSoFar) flagNames() []candidate {
	var found []candidate
	for _, group := range l.command.AllFlags(true) {
		for _, f := range group {
			given := slices.ContainsFunc(l.flags, func(s string) bool { return s == "--"+f.Name || strings.HasPrefix(s, "--"+f.Name+"=") })
			if !given || f.IsSlice() {
				found = append(found, candidate{"--" + f.Name, f.Help})
			}
		}
	}
	return found
}

// valuesOf returns the values of a flag.
func (l *lineSoFar) valuesOf(ctx context.Context, f *kong.Flag) []candidate {
	switch {
	case f.Enum != "":
		return choices(f.Value)
	case f.PlaceHolder == "FILE":
		return []candidate{{value: completeFiles}}
	case f.Name == "after" || f.Name == "before":
		switch l.command.FullPath() {
		case "digate templates list":
			return l.ids(ctx, "template_id")
		case "digate integrations list":
			return l.ids(ctx, "integration_id")
		case "digate tools list":
			return l.ids(ctx, "tool_id")
		}
	}
	return nil
}

// arguments returns the values of the next positional argument.
func (l *lineSoFar) arguments(ctx context.Context) []candidate {
	positional := l.command.Positional
	if len(positional) == 0 {
		return nil
	}
	n := len(l.args)
	if n >= len(positional) {
		n = len(positional) - 1
		if !positional[n].IsCumulative() {
			return nil
		}
	}
	if positional[n].Enum != "" {
		return choices(positional[n])
	}
	return slices.DeleteFunc(l.ids(ctx, positional[n].Name), func(c candidate) bool {
		return n > 0 && slices.Contains(l.args, c.value) // named already
	})
}

func choices(v *kong.Value) []candidate {
	var found []candidate
	for _, choice := range v.EnumSlice() {
		if choice != "" {
			found = append(found, candidate{value: choice})
		}
	}
	return found
}

// unquote reads a word of a command line as a shell does, as far as bash hands
// it over unread: quotes, backslashes and the home directory.
func unquote(word string) string {
	var b strings.Builder
	quote := rune(0)
	escaped := false
	for _, r := range word {
		switch {
		case escaped:
			b.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
		case r == quote && quote != 0:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		default:
			b.WriteRune(r)
		}
	}
	if rest, ok := strings.CutPrefix(word, "~/"); ok && utf8.ValidString(rest) {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, b.String()[2:])
		}
	}
	return b.String()
}
