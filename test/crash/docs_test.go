package crash

import (
	"os"
	"strings"
	"testing"
)

const resultHead = "| scene | items | kills | requests | copies | doubts, copy made | doubts, no copy | violations |\n" +
	"|---|--:|--:|--:|--:|--:|--:|--:|\n"

func TestDocs_Results_AreOfEachSceneAndShowNoViolation(t *testing.T) {
	b, err := os.ReadFile("../../docs/crash.md")
	if err != nil {
		t.Fatal(err)
	}
	_, results, ok := strings.Cut(string(b), resultHead)
	if !ok {
		t.Fatalf("docs/crash.md has no table of results with this head:\n%s", resultHead)
	}
	rows := strings.Split(results, "\n")
	for i, name := range []string{"server", "replicas", "database", "command"} {
		cells := strings.Split(strings.ReplaceAll(rows[i], " ", ""), "|")
		if len(cells) != 10 || cells[1] != "`"+name+"`" || cells[2] != cells[5] || cells[8] != "0" {
			t.Errorf("row %d is %q; want %s's, with as many copies as items and no violation", i, rows[i], name)
		}
	}
	if strings.HasPrefix(rows[4], "|") {
		t.Errorf("the results have a row too many: %s", rows[4])
	}
}
