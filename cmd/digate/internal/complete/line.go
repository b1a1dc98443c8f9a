package complete

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// line is a command line up to the word that is being completed.
type line struct {
	program Program
	command *kong.Node
	args    []string   // positional arguments
	flags   []string   // as --name=value
	pending *kong.Flag // flag whose value is the next word
	onlyArg bool       // after --: no more flags
	word    string
}

// readLine reads words, of which the last is to be completed.
func readLine(ctx context.Context, program Program, words []string) (*line, error) {
	parser, err := program.Parser(ctx)
	if err != nil {
		return nil, err
	}
	l := &line{program: program, command: parser.Model.Node}
	last := len(words) - 1
	for _, word := range words[:last] {
		l.take(unquote(word))
	}
	l.word = words[last]
	return l, nil
}

// take reads a word that comes before the one to complete.
func (l *line) take(word string) {
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

func (l *line) setFlag(f *kong.Flag, value string) {
	l.flags = append(l.flags, "--"+f.Name+"="+value)
}

func (l *line) child(name string) *kong.Node {
	for _, c := range l.command.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// flag finds --name or -n.
func (l *line) flag(word string) *kong.Flag {
	for _, group := range l.command.AllFlags(true) {
		for _, f := range group {
			if word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short) {
				return f
			}
		}
	}
	return nil
}

// candidates returns words that are possible in this place. Some may not begin
// with the word that is being completed.
func (l *line) candidates(ctx context.Context) []Candidate {
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
			if values[i].Value != files {
				values[i].Value = name + "=" + values[i].Value
			}
		}
		return values
	}
	var found []Candidate
	for _, c := range l.command.Children {
		if !c.Hidden {
			found = append(found, Candidate{Value: c.Name, About: c.Help})
		}
	}
	if found != nil {
		return found
	}
	return l.arguments(ctx)
}

func (l *line) flagNames() []Candidate {
	var found []Candidate
	for _, group := range l.command.AllFlags(true) {
		for _, f := range group {
			given := slices.ContainsFunc(l.flags, func(s string) bool { return s == "--"+f.Name || strings.HasPrefix(s, "--"+f.Name+"=") })
			if !given || f.IsSlice() {
				found = append(found, Candidate{Value: "--" + f.Name, About: f.Help})
			}
		}
	}
	return found
}

// valuesOf returns the values of a flag.
func (l *line) valuesOf(ctx context.Context, f *kong.Flag) []Candidate {
	switch {
	case f.Enum != "":
		return choices(f.Value)
	case f.PlaceHolder == "FILE":
		return []Candidate{{Value: files}}
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
func (l *line) arguments(ctx context.Context) []Candidate {
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
	return slices.DeleteFunc(l.ids(ctx, positional[n].Name), func(c Candidate) bool {
		return n > 0 && slices.Contains(l.args, c.Value) // is in the line already
	})
}

func choices(v *kong.Value) []Candidate {
	var found []Candidate
	for _, choice := range v.EnumSlice() {
		if choice != "" {
			found = append(found, Candidate{Value: choice})
		}
	}
	return found
}

// unquote removes quotes and backslashes and expands the home directory, as a
// shell does. bash passes words to a completion without doing so.
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
