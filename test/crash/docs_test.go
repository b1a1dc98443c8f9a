package crash

import (
	"strconv"
	"testing"

	"github.com/digate/digate/test/rig"
)

const resultHead = "| scene | items | kills | requests | copies | integrations | tools | doubts, proven | doubts, made | doubts, not made | violations |\n" +
	"|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"

func TestDocs_Results_AreOfEachSceneAndShowNoViolation(t *testing.T) {
	rows, _, _ := rig.Table(t, "crash.md", resultHead)
	scenes := []string{"server", "replicas", "database", "command", "marks"}
	if len(rows) != len(scenes) {
		t.Fatalf("the results have %d rows, want %d", len(rows), len(scenes))
	}
	for i, name := range scenes {
		cells := rows[i]
		if len(cells) != 11 || cells[0] != "`"+name+"`" || cells[10] != "0" {
			t.Errorf("row %d is %q; want %s's, with no violation", i, cells, name)
			continue
		}
		made := 0
		for _, cell := range cells[4:7] {
			n, err := strconv.Atoi(cell)
			if err != nil || n == 0 {
				t.Errorf("%s made %q of a kind", name, cell)
			}
			made += n
		}
		if strconv.Itoa(made) != cells[1] {
			t.Errorf("%s made %d of %s items", name, made, cells[1])
		}
	}
}
