package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// maxConfigFile bounds a settings file, in bytes.
const maxConfigFile = 1 << 20

// configFile is the value of --config.
type configFile string

// BeforeResolve implements kong's hook. It makes the settings of the file
// available to flags that were not given. At this point DIGATE_CONFIG has been
// read.
func (configFile) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	path := string(ctx.FlagValue(trace.Flag).(configFile))
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	defer func() { _ = f.Close() }()
	s, err := loadSettings(f)
	if err == nil {
		err = s.known(ctx.Model)
	}
	if err != nil {
		return fmt.Errorf("--config %s: %w", path, err)
	}
	ctx.AddResolver(s)
	return nil
}

// settings maps the flag names in a file to their values.
type settings map[string]any

var yamlLine = regexp.MustCompile(`line \d+`)

func loadSettings(r io.Reader) (settings, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxConfigFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxConfigFile {
		return nil, fmt.Errorf("is larger than %d bytes", maxConfigFile)
	}
	s := make(settings)
	documents := yaml.NewDecoder(bytes.NewReader(b))
	if err := documents.Decode(&s); err != nil && err != io.EOF {
		// The parser's own error quotes values, which may be secrets.
		where := yamlLine.FindString(err.Error())
		return nil, errors.New(strings.TrimSuffix("not a YAML mapping of flag names to values, once each: "+where, ": "))
	}
	if err := documents.Decode(new(any)); err != io.EOF {
		return nil, errors.New("has more than one YAML document")
	}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		switch s[name].(type) {
		case string, bool, int, float64:
		default:
			return nil, fmt.Errorf("%s: must be a single value", name)
		}
	}
	return s, nil
}

// known returns an error for a setting that no command has. Otherwise a mistyped
// name would silently leave the default in place.
func (s settings) known(app *kong.Application) error {
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if !hasFlag(app.Node, name) {
			unknown = append(unknown, name)
		}
	}
	if unknown == nil {
		return nil
	}
	return fmt.Errorf("unknown setting: %s", strings.Join(unknown, ", "))
}

func hasFlag(n *kong.Node, name string) bool {
	for _, f := range n.Flags {
		if f.Name == name && name != "config" && name != "help" {
			return true
		}
	}
	return slices.ContainsFunc(n.Children, func(c *kong.Node) bool { return hasFlag(c, name) })
}

// Validate implements [kong.Resolver].
func (s settings) Validate(app *kong.Application) error { return nil }

// Resolve implements [kong.Resolver]. It leaves flags alone that are set in the
// environment.
func (s settings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return nil, nil
		}
	}
	if v, ok := s[flag.Name]; ok {
		return fmt.Sprint(v), nil
	}
	return nil, nil
}
