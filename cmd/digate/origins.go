package main

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/server/setting"
)

// origins knows where each setting of a command line was set.
type origins struct {
	file settingsFile
	// stray are environment variables that look like settings but are none.
	stray []strayVariable
}

// of returns where the flags of a command line were set.
func (o *origins) of(line *kong.Context) setting.Origins {
	from := make(setting.Origins)
	given := make(map[*kong.Flag]bool)
	for _, p := range line.Path {
		if p.Flag != nil && !p.Resolved {
			given[p.Flag] = true
		}
	}
	for _, f := range line.Flags() {
		switch set := setInEnvironment(f); {
		case given[f]:
			from[f.Name] = "--" + f.Name
		case set != "":
			from[f.Name] = set
		case o.file.has(f.Name):
			from[f.Name] = o.file.where(f.Name)
		}
	}
	return from
}

// setInEnvironment returns the variable that sets a flag, or "".
func setInEnvironment(f *kong.Flag) string {
	for _, name := range f.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return name
		}
	}
	return ""
}

var (
	// aboutFlag matches an error about a flag, which begins with the flag's name.
	aboutFlag = regexp.MustCompile(`^--([a-z0-9-]+)\b`)
	// fromEnvar matches a text that the parser adds. It quotes the value.
	fromEnvar = regexp.MustCompile(` \(from envar \w+=".*"\)$`)
)

// explain adds to an error where each flag that it is about was set, unless that was the
// command line.
func (o *origins) explain(line *kong.Context, err error) error {
	if err == nil || line == nil {
		return err
	}
	from, parsing := o.of(line), lineOf(err) != nil
	lines := strings.Split(err.Error(), "\n")
	for i, text := range lines {
		text = fromEnvar.ReplaceAllString(text, "")
		if parsing {
			text = inWords(line, text)
		}
		lines[i] = text
		m := aboutFlag.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		if where := from[m[1]]; where != "" && where != "--"+m[1] {
			lines[i] += " (set in " + where + ")"
		}
	}
	if text := strings.Join(lines, "\n"); text != err.Error() {
		return &explained{err, text}
	}
	return err
}

// explained is an error with another text.
type explained struct {
	error
	text string
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.error }

// settingNames returns the names of the settings of all commands: the flags that can be
// set by an environment variable, without --config, --help and --version.
func settingNames(app *kong.Application) []string {
	var names []string
	_ = kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok && len(f.Envs) > 0 && f.Name != "config" {
			names = append(names, f.Name)
		}
		return next(nil)
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// lineOf returns the command line that a parser's error is about, or nil.
func lineOf(err error) *kong.Context {
	if parse, ok := errors.AsType[*kong.ParseError](err); ok {
		return parse.Context
	}
	return nil
}
