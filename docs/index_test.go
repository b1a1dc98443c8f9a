package docs

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The README has every page, and llms.txt the links to what a program reads first.
func TestPages_AreInTheREADME(t *testing.T) {
	t.Parallel()
	readme := read(t, "README.md").prose
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if path.Ext(e.Name()) == ".md" && !strings.Contains(readme, "(docs/"+e.Name()+")") {
			t.Errorf("the README does not name docs/%s", e.Name())
		}
	}
}

func TestLLMsText_LeadsToFiles(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "llms.txt"))
	if err != nil {
		t.Fatal(err)
	}
	links := link.FindAllStringSubmatch(string(text), -1)
	if len(links) < 20 {
		t.Errorf("llms.txt has only %d links", len(links))
	}
	for _, m := range links {
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(m[1]))); err != nil {
			t.Errorf("llms.txt: %v", err)
		}
	}
}

// The figures of the comparison are those of 128 calls in flight in performance.md.
func TestComparison_HasTheMeasuredFigures(t *testing.T) {
	t.Parallel()
	const column = 4 // of 128 in flight; the first is empty
	performance, comparison := read(t, "docs/performance.md").prose, read(t, "docs/comparison.md").prose
	row := regexp.MustCompile(`(?m)^\| CPU of a call, compared with the parts \|.*$`).FindString(comparison)
	columns := strings.Split(row, "|")
	for i, peer := range []string{"naive", "vanguard", "envoy", "digate"} {
		cells := strings.Split(regexp.MustCompile(`(?m)^\| `+peer+` ÷ parts \|.*$`).FindString(performance), "|")
		if len(cells) <= column {
			t.Fatalf("performance.md has no ratio of %s", peer)
		}
		ratio, err := strconv.ParseFloat(strings.TrimSpace(cells[column]), 64)
		if err != nil {
			t.Fatal(err)
		}
		const before = 3 // the row begins with "|", its name and the generated client
		if want := fmt.Sprintf("%.1f times", ratio); len(columns) <= before+i || strings.TrimSpace(columns[before+i]) != want {
			t.Errorf("performance.md has %v for %s: the comparison needs %q in column %d of %s", ratio, peer, want, before+i, row)
		}
	}
}
