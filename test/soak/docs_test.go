package soak

import (
	"os"
	"strings"
	"testing"

	"github.com/digate/digate/test/rig"
)

func TestDocs_Mixes_AreThoseOfTheSuite(t *testing.T) {
	b, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), mixTable()) {
		t.Errorf("docs/reliability.md does not have this list of mixes:\n%s", mixTable())
	}
	rows, _, _ := rig.Table(t, "reliability.md", resultHead)
	if len(rows) != len(mixes) {
		t.Fatalf("the results have %d rows, want %d", len(rows), len(mixes))
	}
	for i, m := range mixes {
		cells := rows[i]
		if len(cells) != strings.Count(resultHead, "--:")+1 {
			t.Fatalf("results of %s: %q", m.name, cells)
		}
		if cells[0] != "`"+m.name+"`" {
			t.Errorf("row %d has the results of %s, want those of %s", i, cells[0], m.name)
		}
		if calls, violations := cells[1], cells[13]; calls != "10000" || violations != "0" {
			t.Errorf("%s: %s calls with %s violations, want 10000 with 0", m.name, calls, violations)
		}
	}
}
