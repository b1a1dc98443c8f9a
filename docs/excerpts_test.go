package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// excerpt is the line above a block that has lines of a program, which other tests run.
// The path is from the page.
var excerpt = regexp.MustCompile(`^<!-- from (\S+) -->$`)

// missing returns the first line of an excerpt that does not follow the lines before it
// in the program, indented as it may be.
func missing(excerpt, program string) string {
	lines := slices.Collect(strings.Lines(program))
	for line := range strings.Lines(excerpt) {
		line = strings.TrimSpace(line)
		i := slices.IndexFunc(lines, func(l string) bool { return strings.TrimSpace(l) == line })
		if i < 0 {
			return line
		}
		lines = lines[i+1:]
	}
	return ""
}

func TestMissing_FindsTheLineThatIsNotOfTheProgram(t *testing.T) {
	t.Parallel()
	const program = "a\n\tb = c\n  d\n"
	for in, want := range map[string]string{"a\nd\n": "", "b = c\n": "", "d\na\n": "a", "a\nx\n": "x", "c\n": "c"} {
		if got := missing(in, program); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestExcerpts_AreLinesOfTheirPrograms(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			m := excerpt.FindStringSubmatch(b.before)
			if m == nil {
				continue
			}
			seen++
			program, err := os.ReadFile(filepath.Join(root, filepath.Dir(p.path), m[1]))
			if err != nil {
				t.Error(err)
			} else if line := missing(b.text, string(program)); line != "" {
				t.Errorf("%s: %s has no line %q behind those before it", p.path, m[1], line)
			}
		}
	}
	if seen < 6 {
		t.Errorf("the pages have only %d excerpts", seen)
	}
}
