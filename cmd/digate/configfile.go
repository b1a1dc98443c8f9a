package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// configFile is the flag that names the settings file.
type configFile string

// BeforeReset implements kong's hook: the file's settings are resolved before
// the flags' defaults count.
func (configFile) BeforeReset(ctx *kong.Context, trace *kong.Path) error {
	path := string(ctx.FlagValue(trace.Flag).(configFile))
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	s, err := loadSettings(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := s.known(ctx.Model); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	ctx.AddResolver(s)
	return nil
}

// settings are a file's: flag names and their values.
type settings map[string]any

func loadSettings(r io.Reader) (settings, error) {
	s := make(settings)
	if err := yaml.NewDecoder(io.LimitReader(r, 1<<20)).Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New("not a YAML mapping of flag names to values") // the parser's error quotes them
	}
	for name, v := range s {
		switch v.(type) {
		case string, bool, int, float64:
		default:
			return nil, fmt.Errorf("%s: must be one plain value", name)
		}
	}
	return s, nil
}

// known returns an error for a setting that no command has: a typing error in a
// file must not pass for a default.
func (s settings) known(app *kong.Application) error {
	var unknown []string
	for name := range s {
		if !hasFlag(app.Node, name) {
			unknown = append(unknown, name)
		}
	}
	if unknown == nil {
		return nil
	}
	slices.Sort(unknown)
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

// Resolve implements [kong.Resolver]. The environment comes before the file.
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
