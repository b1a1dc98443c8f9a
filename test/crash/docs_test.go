package crash

import (
	"testing"

	"github.com/digate/digate/test/rig"
)

const resultHead = "| scene | items | kills | requests | copies | doubts, copy made | doubts, no copy | violations |\n" +
	"|---|--:|--:|--:|--:|--:|--:|--:|\n"

func TestDocs_Results_AreOfEachSceneAndShowNoViolation(t *testing.T) {
	rows, _, _ := rig.Table(t, "crash.md", resultHead)
	scenes := []string{"server", "replicas", "database", "command"}
	if len(rows) != len(scenes) {
		t.Fatalf("the results have %d rows, want %d", len(rows), len(scenes))
	}
	for i, name := range scenes {
		if cells := rows[i]; len(cells) != 8 || cells[0] != "`"+name+"`" || cells[1] != cells[4] || cells[7] != "0" {
			t.Errorf("row %d is %q; want %s's, with as many copies as items and no violation", i, cells, name)
		}
	}
}
