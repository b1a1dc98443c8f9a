package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/server/config"
)

// flagsOf returns the flags of every command, by the command's path.
func flagsOf(t *testing.T) map[string][]*kong.Flag {
	t.Helper()
	parser, err := newParser(t.Context(), new(cli), discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	flags := make(map[string][]*kong.Flag)
	err = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		switch n := node.(type) {
		case *kong.Application:
			flags[n.Path()] = n.Flags
		case *kong.Node:
			flags[n.Path()] = n.Flags
		}
		return next(nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	return flags
}

func TestFlags_Each_HasItsEnvironmentVariableAndHelp(t *testing.T) {
	t.Parallel()
	seen := 0
	for command, flags := range flagsOf(t) {
		for _, f := range flags {
			if f.Name == "help" || f.Name == helpAllName || f.Name == "version" {
				if len(f.Tag.Envs) != 0 {
					t.Errorf("%s --%s is %v", command, f.Name, f.Tag.Envs)
				}
				continue
			}
			seen++
			want := "DIGATE_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
			if len(f.Tag.Envs) != 1 || f.Tag.Envs[0] != want {
				t.Errorf("%s --%s is %v, want %s", command, f.Name, f.Tag.Envs, want)
			}
			if !strings.HasSuffix(f.Help, ".") {
				t.Errorf("%s --%s has no sentence of help: %q", command, f.Name, f.Help)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d flags were found", seen)
	}
}

// Each setting of serve is one of config's, has config's default, and is in the
// pages with that default: a bound in limits.md, a listener and the connection to
// Diga in running.md, and the others wherever they belong.
func TestServe_EverySetting_HasTheDefaultThatThePagesShow(t *testing.T) {
	t.Parallel()
	all, limits, running := readPages(t), readPage(t, "limits.md"), readPage(t, "running.md")
	defaults := make(map[string]any)
	for _, attr := range config.Defaults().LogValue().Group() {
		defaults[attr.Key] = attr.Value.Any()
	}
	for _, f := range flagsOf(t)["serve"] {
		if f.Name == "help" || f.Name == "config" {
			continue
		}
		value, known := defaults[f.Name]
		if !known {
			t.Errorf("--%s is no setting", f.Name)
			continue
		}
		delete(defaults, f.Name)
		if got := fmt.Sprint(value); f.HasDefault && got != f.Default && got != duration(f.Default).String() {
			t.Errorf("--%s has the default %s, and in config %s", f.Name, f.Default, got)
		}
		switch group := f.Group; {
		case group != nil && (group.Title == "Limits:" || group.Title == "Bulk:"):
			shows(t, limits, f)
		case strings.HasSuffix(f.Name, "-addr"):
			shows(t, running, f)
		case strings.Contains(limits, "| `--"+f.Name+"`"):
			shows(t, limits, f)
		case strings.Contains(running, "| `--"+f.Name+"`"):
			shows(t, running, f)
		case !strings.Contains(all, "--"+f.Name):
			t.Errorf("no page has --%s", f.Name)
		}
	}
	for name := range defaults {
		t.Errorf("serve has no --%s", name)
	}
}

// duration parses a default, and returns 0 for one that is no duration.
func duration(text string) time.Duration {
	d, _ := time.ParseDuration(text)
	return d
}

// shows fails unless a row of a page's tables has the flag and its default.
func shows(t *testing.T, page string, f *kong.Flag) {
	t.Helper()
	row := regexp.MustCompile("(?m)^\\|(?:[^|\\n]*\\|)?[^|\\n]*`--" + f.Name + "`.*$").FindString(page)
	if row == "" {
		t.Errorf("no table has --%s", f.Name)
		return
	}
	_, after, _ := strings.Cut(row, "`--"+f.Name+"`")
	for _, shown := range forms(f) {
		if regexp.MustCompile(`(^|[ |` + "`" + `])` + regexp.QuoteMeta(shown) + `([ ,;|` + "`" + `]|$)`).MatchString(after) {
			return
		}
	}
	t.Errorf("--%s has the default %s, and the row is %s", f.Name, f.Default, row)
}

// forms returns the ways in which a page may show a default.
func forms(f *kong.Flag) []string {
	if !f.HasDefault {
		return []string{"none", "off"}
	}
	switch f.Target.Kind() {
	case reflect.Float32, reflect.Float64:
		return []string{f.Default, map[string]string{"0.1": "a tenth"}[f.Default]}
	case reflect.String:
		return []string{f.Default}
	}
	if f.Target.Type() == reflect.TypeFor[time.Duration]() {
		switch d := duration(f.Default); {
		case d == 0:
			return []string{"none"}
		case d%time.Hour == 0:
			return []string{f.Default, fmt.Sprintf("%d h", d/time.Hour)}
		case d%time.Minute == 0 && d > time.Minute:
			return []string{f.Default, fmt.Sprintf("%d min", d/time.Minute)}
		case d%time.Second == 0:
			return []string{f.Default, fmt.Sprintf("%d s", d/time.Second)}
		default:
			return []string{f.Default, fmt.Sprintf("%d ms", d/time.Millisecond)}
		}
	}
	n := 0
	_, _ = fmt.Sscan(f.Default, &n)
	switch {
	case !strings.HasSuffix(f.Name, "-bytes"):
		return []string{f.Default, regexp.MustCompile(`(\d)(\d{3})(\d{3})$`).ReplaceAllString(f.Default, "$1,$2,$3")}
	case n%(1<<20) == 0:
		return []string{fmt.Sprintf("%d MiB", n>>20)}
	default:
		return []string{fmt.Sprintf("%d KiB", n>>10)}
	}
}

func TestDev_EveryAddress_IsOnLoopbackByDefault(t *testing.T) {
	t.Parallel()
	dev, serve := flagsOf(t)["dev"], make(map[string]*kong.Flag)
	for _, f := range flagsOf(t)["serve"] {
		serve[f.Name] = f
	}
	found := 0
	for _, f := range dev {
		if !strings.HasSuffix(f.Name, "-addr") {
			continue
		}
		found++
		host, port, err := net.SplitHostPort(f.Default)
		if err != nil || host != "127.0.0.1" {
			t.Errorf("--%s=%s, %v", f.Name, f.Default, err)
		}
		if of := serve[f.Name]; of != nil && !strings.HasSuffix(of.Default, ":"+port) {
			t.Errorf("--%s=%s, and in serve %s", f.Name, f.Default, of.Default)
		}
	}
	if found != 4 {
		t.Errorf("%d addresses were found", found)
	}
}

// readPage returns the text of a page.
func readPage(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// readPages returns the text of all pages.
func readPages(t *testing.T) string {
	t.Helper()
	names, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		all.WriteString(readPage(t, filepath.Base(name)))
	}
	return all.String()
}
