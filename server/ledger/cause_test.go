package ledger_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/digate/digate/server/ledger"
)

func TestCauses_AreAllThatAreDeclared(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("cause.go")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for _, c := range ledger.Causes {
		listed[string(c)] = true
	}
	declared := regexp.MustCompile(`Cause = "([a-z_]+)"`).FindAllSubmatch(source, -1)
	for _, c := range declared {
		if !listed[string(c[1])] {
			t.Errorf("the cause %s is not in Causes", c[1])
		}
	}
	if len(declared) != len(ledger.Causes) {
		t.Errorf("%d causes are declared, and %d in Causes", len(declared), len(ledger.Causes))
	}
}
