package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(\w+ \*testing\.T\)`)
	testName     = regexp.MustCompile(`^Test[A-Z]\w*$`)
)

// testFunctions returns the names of the tests of the repository, of all its modules.
func testFunctions(t *testing.T) map[string]bool {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, "_test.go") {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testFunction.FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
	}
	return names
}

// testProblems returns the tests that a page names in prose and that are not among the
// names.
func testProblems(p page, names map[string]bool) []string {
	var problems []string
	for _, m := range codeSpan.FindAllStringSubmatch(p.prose, -1) {
		if testName.MatchString(m[1]) && !names[m[1]] {
			problems = append(problems, m[1])
		}
	}
	return problems
}

func TestPages_EveryTest_Exists(t *testing.T) {
	t.Parallel()
	names := testFunctions(t)
	for _, p := range pages(t) {
		if p.history() || p.foreign() {
			continue
		}
		for _, name := range testProblems(p, names) {
			t.Errorf("%s: there is no test %s", p.path, name)
		}
	}
}

func TestTestProblems_NamesEachKind(t *testing.T) {
	t.Parallel()
	p := parse("`TestA`, `TestB_C` and `TestNowhere`, but not `Testing`\n")
	if got, want := testProblems(p, map[string]bool{"TestA": true, "TestB_C": true}), []string{"TestNowhere"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// unprovenControls returns the threats of a table whose last cell names something other
// than tests, or none, and those whose settings are neither flags nor "none".
func unprovenControls(table string) []string {
	var problems []string
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| threat |") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 4 || !only(cells[3], testName) || cells[2] != "none" && !only(cells[2], wholeFlag) {
			problems = append(problems, cells[0])
		}
	}
	return problems
}

var wholeFlag = regexp.MustCompile(`^--[a-z][a-z0-9-]*$`)

// only reports whether a cell consists of code spans of one form, and has one at least.
func only(cell string, form *regexp.Regexp) bool {
	words := strings.Fields(cell)
	return len(words) > 0 && !slices.ContainsFunc(words, func(word string) bool {
		m := codeSpan.FindStringSubmatch(word)
		return m == nil || m[0] != word || !form.MatchString(m[1])
	})
}

func TestSecurity_EveryControl_NamesItsTests(t *testing.T) {
	t.Parallel()
	table := read(t, "SECURITY.md").section(t, "Threats and controls")
	for _, threat := range unprovenControls(table) {
		t.Errorf("the row needs flags or none, and tests: %s", threat)
	}
	if n := strings.Count(table, "\n| "); n < 20 {
		t.Errorf("only %d rows were found", n)
	}
}

func TestUnprovenControls_NamesEachKind(t *testing.T) {
	t.Parallel()
	got := unprovenControls("| threat | control | settings | tests |\n|---|---|---|---|\n| good | c | none | `TestA` `TestB` |\n" +
		"| flagged | c | `--a` `--b` | `TestA` |\n| untested | c | none | none |\n| short | c | `TestA` |\n| words | c | see above | `TestA` |\n")
	if want := []string{"untested", "short", "words"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
