package main

import (
	"bytes"
	"cmp"
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

	"github.com/digate/digate/internal/spelling"
)

// maxConfigFile is the maximum size of a settings file, in bytes.
const maxConfigFile = 1 << 20

// configFile is the value of --config.
type configFile string

// BeforeResolve implements kong's hook. It makes the settings in the file available to
// flags that were not given. DIGATE_CONFIG was already read at this point.
func (configFile) BeforeResolve(ctx *kong.Context, trace *kong.Path, o *origins) error {
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
		s.path = path
		err = s.known(settingNames(ctx.Model))
	}
	if err != nil {
		return fmt.Errorf("--config %s: %w", path, err)
	}
	o.file = s
	ctx.AddResolver(s)
	return nil
}

// settingsFile is the content of a settings file.
type settingsFile struct {
	path   string
	values map[string]string // as they are written, by the flag's name
	lines  map[string]int
}

// has reports whether the file has a setting.
func (s settingsFile) has(name string) bool {
	_, ok := s.values[name]
	return ok
}

// where returns the file and the line of a setting.
func (s settingsFile) where(name string) string {
	return fmt.Sprintf("%s:%d", s.path, s.lines[name])
}

var yamlLine = regexp.MustCompile(`line \d+`)

// errNotSettings returns the error of a file that is not a list of settings. The parser's
// own error may quote values, which may be secrets.
func errNotSettings(err error) error {
	where := ""
	if err != nil {
		where = yamlLine.FindString(err.Error())
	}
	return errors.New(strings.TrimSuffix("not a YAML mapping of flag names to values, once each: "+where, ": "))
}

func loadSettings(r io.Reader) (settingsFile, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxConfigFile+1))
	if err != nil {
		return settingsFile{}, err
	}
	if len(b) > maxConfigFile {
		return settingsFile{}, fmt.Errorf("is larger than %d bytes", maxConfigFile)
	}
	s := settingsFile{values: make(map[string]string), lines: make(map[string]int)}
	documents := yaml.NewDecoder(bytes.NewReader(b))
	var document yaml.Node
	switch err := documents.Decode(&document); {
	case err == io.EOF:
		return s, nil
	case err != nil:
		return settingsFile{}, errNotSettings(err)
	}
	values := make(map[string]yaml.Node)
	if err := document.Decode(&values); err != nil {
		return settingsFile{}, errNotSettings(err)
	}
	if err := documents.Decode(new(any)); err != io.EOF {
		return settingsFile{}, errors.New("has more than one YAML document")
	}
	for name, value := range values {
		s.lines[name] = value.Line
		if value.Kind == yaml.AliasNode {
			value = *value.Alias
		}
		if value.Kind == yaml.ScalarNode && value.ShortTag() != "!!null" {
			s.values[name] = value.Value // YAML would read the mode 0660 as the number 432
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(s.lines), s.inOrder) {
		if !s.has(name) {
			return settingsFile{}, fmt.Errorf("%s: must be a single value (line %d)", name, s.lines[name])
		}
	}
	return s, nil
}

// inOrder compares the places of two settings in the file.
func (s settingsFile) inOrder(a, b string) int {
	return cmp.Or(cmp.Compare(s.lines[a], s.lines[b]), strings.Compare(a, b))
}

// names returns the names of the settings, in the order of the file.
func (s settingsFile) names() []string {
	return slices.SortedFunc(maps.Keys(s.values), s.inOrder)
}

// known returns an error for a setting that no command has. Without this check, a
// misspelt name would leave the default in use without notice.
func (s settingsFile) known(names []string) error {
	var unknown []string
	var where strings.Builder
	for _, name := range s.names() {
		if slices.Contains(names, name) {
			continue
		}
		unknown = append(unknown, name)
		fmt.Fprintf(&where, "\nline %d: %s", s.lines[name], name)
		if near, ok := spelling.Nearest(name, names); ok {
			fmt.Fprintf(&where, "; did you mean %s?", near)
		}
	}
	if unknown == nil {
		return nil
	}
	return fmt.Errorf("unknown setting: %s%s", strings.Join(unknown, ", "), where.String())
}

// Validate implements [kong.Resolver].
func (s settingsFile) Validate(app *kong.Application) error { return nil }

// Resolve implements [kong.Resolver]. It ignores flags that are set in the environment.
func (s settingsFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if setInEnvironment(flag) != "" {
		return nil, nil
	}
	if v, ok := s.values[flag.Name]; ok {
		return v, nil
	}
	return nil, nil
}
