package docs

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/digate/digate/internal/need"
)

// manifests are the files in which ecosystems pin versions, by Dependabot's name of the
// ecosystem.
var manifests = map[string]*regexp.Regexp{
	"gomod":          regexp.MustCompile(`(^|/)go\.mod$`),
	"npm":            regexp.MustCompile(`(^|/)package\.json$`),
	"pip":            regexp.MustCompile(`(^|/)(requirements[^/]*\.txt|pyproject\.toml)$`),
	"maven":          regexp.MustCompile(`(^|/)pom\.xml$`),
	"cargo":          regexp.MustCompile(`(^|/)Cargo\.toml$`),
	"github-actions": regexp.MustCompile(`^\.github/workflows/`),
}

// tracked returns the files of the repository.
func tracked(t *testing.T) []string {
	t.Helper()
	need.Program(t, "git")
	out, err := exec.Command("git", "-C", root, "ls-files").Output()
	if err != nil {
		t.Skipf("this is no clone: %v", err)
	}
	return strings.Fields(string(out))
}

// The page says of every file that pins versions how it is brought forward.
func TestDependencies_NamesEveryFileThatPinsVersions(t *testing.T) {
	t.Parallel()
	table := read(t, "docs/dependencies.md").section(t, "What is pinned")
	found := 0
	for _, file := range tracked(t) {
		for _, pins := range manifests {
			if !pins.MatchString(file) {
				continue
			}
			if found++; !strings.Contains(table, "`"+file+"`") {
				t.Errorf("docs/dependencies.md does not say how %s is brought forward", file)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d files were found", found)
	}
}

// Dependabot looks into the folders that have such a file, and into no other.
func TestDependabot_LooksIntoEveryFolderThatPinsVersions(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, ".github", "dependabot.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Updates []struct {
			Ecosystem   string   `yaml:"package-ecosystem"`
			Directories []string `yaml:"directories"`
		} `yaml:"updates"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, u := range config.Updates {
		for _, directory := range u.Directories {
			got = append(got, u.Ecosystem+" "+directory)
		}
	}
	for _, file := range tracked(t) {
		for ecosystem, pins := range manifests {
			switch {
			case !pins.MatchString(file):
			case ecosystem == "github-actions": // which has its files below the root
				want = append(want, ecosystem+" /")
			default:
				want = append(want, ecosystem+" "+path.Join("/", path.Dir(file)))
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if want = slices.Compact(want); !slices.Equal(got, want) {
		t.Errorf("dependabot.yml has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The minor version of Go is that of go.mod wherever one is named for building digate.
func TestGo_IsOneVersion(t *testing.T) {
	t.Parallel()
	text := func(file string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	goLine := regexp.MustCompile(`(?m)^go (\d+\.\d+)(?:\.\d+)?$`)
	module := goLine.FindStringSubmatch(text("go.mod"))
	if module == nil {
		t.Fatal("go.mod has no line for Go")
	}
	places := map[string]*regexp.Regexp{
		".github/workflows/check.yml":   regexp.MustCompile(`image: golang:(\d+\.\d+)-`),
		".github/workflows/release.yml": regexp.MustCompile(`go-version: "(\d+\.\d+)"`),
		"CONTRIBUTING.md":               regexp.MustCompile(`You need Go (\d+\.\d+),`),
		"README.md":                     regexp.MustCompile(`You need only Go (\d+\.\d+) `),
		"docs/recipes.md":               regexp.MustCompile(`go-version: "(\d+\.\d+)"`),
	}
	for _, file := range tracked(t) {
		if manifests["gomod"].MatchString(file) && file != "client/go/go.mod" { // which importers have to follow
			places[file] = goLine
		}
	}
	for file, version := range places {
		switch m := version.FindStringSubmatch(text(file)); {
		case m == nil:
			t.Errorf("%s names no version of Go as %s", file, version)
		case m[1] != module[1]:
			t.Errorf("%s has Go %s, go.mod has %s", file, m[1], module[1])
		}
	}
}

// Without a way to the module proxy, `make outdated` says so and lists nothing.
func TestOutdated_NoModuleProxy_SaysSo(t *testing.T) {
	t.Parallel()
	need.Program(t, "make")
	cmd := exec.Command("make", "-C", root, "outdated")
	cmd.Env = append(os.Environ(), "GOPROXY=off")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the module proxy (go env GOPROXY) cannot be reached: nothing was compared") {
		t.Errorf("got %v\n%s", err, out)
	}
}
