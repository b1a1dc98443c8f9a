package term_test

import (
	"encoding/json"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
)

func TestPrintableJSON_MeansTheSame(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(map[string]string{clitest.Hostile: clitest.Hostile})
	if err != nil {
		t.Fatal(err)
	}
	shown := term.PrintableJSON(append(b, '\n'))
	if r, ok := clitest.Harmful(shown); ok || !clitest.Unharmed(shown) {
		t.Errorf("%U in %q", r, shown)
	}
	var m map[string]string
	if err := json.Unmarshal([]byte(shown), &m); err != nil || m[clitest.Hostile] != clitest.Hostile {
		t.Errorf("%v, %q", err, m)
	}
}

func TestPrintable_EveryRuneThatATerminalActsOn_IsReplaced(t *testing.T) {
	t.Parallel()
	if got := term.Printable("a\x1b[2Jñ\u00a0日\n"); got != "a\ufffd[2Jñ\u00a0日\ufffd" {
		t.Errorf("%q", got)
	}
}
