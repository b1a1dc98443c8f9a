package abuse

import (
	"os"
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
		if server == "digate" && !strings.Contains(row, " | 0 of ") && !strings.Contains(after, "`"+name+"`") {
			t.Errorf("calls fail under %q, and the page does not say that this is not held", name)
		}
	}
}
