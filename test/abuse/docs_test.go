package abuse

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestDocs_Results_AreOfEachAttackAndNameWhatIsNotHeld(t *testing.T) {
	b, err := os.ReadFile("../../docs/abuse.md")
	if err != nil {
		t.Fatal(err)
	}
	described, results, ok := strings.Cut(string(b), resultHead)
	if !ok {
		t.Fatalf("docs/abuse.md has no table of results with this head:\n%s", resultHead)
	}
	results, after, _ := strings.Cut(results, "\n\n")
	rows := strings.Split(results, "\n")
	if len(rows) != 2*len(attacks) {
		t.Fatalf("the results have %d rows, want %d", len(rows), 2*len(attacks))
	}
	for i, row := range rows {
		name := attacks[i/2].name
		server := []string{"digate", "grpc-go"}[i%2]
		if !strings.HasPrefix(row, "| "+name+" | "+server+" | ") {
			t.Errorf("row %d is %q, want one of %q and %s", i, row, name, server)
		}
		if !strings.Contains(described, "\n| "+name+" | ") {
			t.Errorf("the page does not describe %q", name)
		}
		cells := strings.Split(row, " | ")
		peak, err := strconv.Atoi(strings.TrimSuffix(cells[4], " MiB"))
		if err != nil {
			t.Fatal(err)
		}
		held := strings.HasPrefix(cells[8], "0 of ") && peak <= container
		if server == "digate" && !held && !strings.Contains(after, strings.Trim(name, "`")) {
			t.Errorf("%q is not held, and the page does not say so", name)
		}
	}
}
