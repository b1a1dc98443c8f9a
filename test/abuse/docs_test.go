package abuse

import (
	"strconv"
	"strings"
	"testing"

	"github.com/digate/digate/test/rig"
)

// The tables of digate alone: each has a row for each attack, all are held, and each
// attack is described.
func TestDocs_ResultsOfDigate_AreOfEachAttackAndHeld(t *testing.T) {
	guarded := make([]attack, len(guardedAttacks))
	for i, a := range guardedAttacks {
		guarded[i] = a.attack
	}
	greedy := make([]attack, len(greeds))
	for i, g := range greeds {
		greedy[i] = g.attack
	}
	for head, attacks := range map[string][]attack{
		restHead: restAttacks, guardedHead: guarded, greedyHead: greedy,
	} {
		rows, described, _ := rig.Table(t, "abuse.md", head)
		if len(rows) != len(attacks) {
			t.Errorf("the results have %d rows, want %d:\n%s", len(rows), len(attacks), head)
			continue
		}
		for i, cells := range rows {
			name := attacks[i].name
			peak, err := strconv.Atoi(strings.TrimSuffix(cells[3], " MiB"))
			if cells[0] != name || err != nil || peak > container || !strings.HasPrefix(cells[7], "0 of ") {
				t.Errorf("row %d is %q, want one of %q that is held", i, cells, name)
			}
			if !strings.Contains(described, "\n| "+name+" | ") {
				t.Errorf("the page does not describe %q", name)
			}
		}
	}
}

func TestDocs_Results_AreOfEachAttackAndNameWhatIsNotHeld(t *testing.T) {
	rows, described, after := rig.Table(t, "abuse.md", resultHead)
	if len(rows) != 2*len(attacks) {
		t.Fatalf("the results have %d rows, want %d", len(rows), 2*len(attacks))
	}
	for i, cells := range rows {
		name := attacks[i/2].name
		server := []string{"digate", "grpc-go"}[i%2]
		if cells[0] != name || cells[1] != server {
			t.Errorf("row %d is %q, want one of %q and %s", i, cells, name, server)
		}
		if !strings.Contains(described, "\n| "+name+" | ") {
			t.Errorf("the page does not describe %q", name)
		}
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
