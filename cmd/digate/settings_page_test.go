package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var updateSettings = flag.Bool("update-settings", false, "write the tables of docs/settings.md anew")

const settingsPage = "../../docs/settings.md"

// settingsTables returns the settings of serve by their groups, as the page has them.
func settingsTables(t *testing.T) string {
	t.Helper()
	parser, err := newParser(t.Context(), new(cli), discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	var serve *kong.Node
	for _, node := range parser.Model.Children {
		if node.Name == "serve" {
			serve = node
		}
	}
	var titles []string
	rows := make(map[string]string)
	for _, flags := range serve.AllFlags(true) {
		for _, f := range flags {
			if len(f.Envs) == 0 || f.Name == "config" {
				continue // it is no setting
			}
			if want := "DIGATE_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")); f.Envs[0] != want {
				t.Errorf("--%s is %s in the environment, and the page says %s", f.Name, f.Envs[0], want)
			}
			title := groupTitle(f)
			if rows[title] == "" {
				titles = append(titles, title)
			}
			rows[title] += fmt.Sprintf("| `%s` | %s | %s |\n", f.Name, settingValue(f), strings.ReplaceAll(f.Help, "|", `\|`))
		}
	}
	var b strings.Builder
	for _, title := range titles {
		fmt.Fprintf(&b, "\n## %s\n\n| setting | value | meaning |\n|---|---|---|\n%s", title, rows[title])
	}
	return b.String()
}

func groupTitle(f *kong.Flag) string {
	if f.Group == nil {
		return "General"
	}
	return strings.TrimSuffix(f.Group.Title, ":")
}

// settingValue returns the default, or the form of a value that has none.
func settingValue(f *kong.Flag) string {
	switch {
	case f.IsBool():
		return "off"
	case f.Default != "":
		return "`" + f.Default + "`"
	default:
		return f.FormatPlaceHolder()
	}
}

func TestSettingsPage_HasEverySettingOfServe(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(settingsPage)
	if err != nil {
		t.Fatal(err)
	}
	intro, tables, ok := strings.Cut(string(page), "\n## ")
	if !ok {
		t.Fatal("docs/settings.md has no sections")
	}
	want := settingsTables(t)
	if "\n## "+tables == want {
		return
	}
	if !*updateSettings {
		t.Fatal("docs/settings.md has other settings: go test ./cmd/digate -run TestSettingsPage -update-settings writes it anew")
	}
	if err := os.WriteFile(settingsPage, []byte(intro+want), 0o600); err != nil {
		t.Fatal(err)
	}
}
