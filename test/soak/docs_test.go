package soak

import (
	"os"
	"strings"
	"testing"
)

func TestDocs_Mixes_AreThoseOfTheSuite(t *testing.T) {
	b, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	if !strings.Contains(page, mixTable()) {
		t.Errorf("docs/reliability.md does not have this list of mixes:\n%s", mixTable())
	}
	_, results, ok := strings.Cut(page, resultHead)
	if !ok {
		t.Fatalf("docs/reliability.md has no table of results with this head:\n%s", resultHead)
	}
	rows := strings.Split(results, "\n")
	for i, m := range mixes {
		if i >= len(rows) {
			t.Fatalf("no results of %s", m.name)
		}
		cells := strings.Split(rows[i], "|")
		if len(cells) != strings.Count(resultHead, "--:")+3 {
			t.Fatalf("results of %s: %q", m.name, rows[i])
		}
		if got := strings.TrimSpace(cells[1]); got != "`"+m.name+"`" {
			t.Errorf("row %d has the results of %s, want those of %s", i, got, m.name)
		}
		if calls, violations := strings.TrimSpace(cells[2]), strings.TrimSpace(cells[13]); calls != "10000" || violations != "0" {
			t.Errorf("%s: %s calls with %s violations, want 10000 with 0", m.name, calls, violations)
		}
	}
	if i := len(mixes); i < len(rows) && strings.HasPrefix(rows[i], "|") {
		t.Errorf("the results have a row too many: %s", rows[i])
	}
}
