package main

import (
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
)

func TestResolve_AtATerminal_ShowsTheCopyAsksAndObeys(t *testing.T) {
	addr, e := stand(t)
	if got := digate(t, "copy", resetAfter, "--request-id", "lost", "--addr", addr); got.Code != client.ExitUnknown {
		t.Fatalf("%+v", got)
	}
	if got := digate(t, "ledger", "resolve", "lost", "--not-created", "--addr", addr); got.Code != client.ExitUsage || !strings.Contains(got.Err, "--yes settles the call without asking") {
		t.Errorf("nobody to ask: %+v", got)
	}
	for _, reply := range []string{"n\n", "\n", "yup\n", "\x04"} {
		got := atTerminal(t, reply, "ledger", "resolve", "lost", "--not-created", "--addr", addr)
		if got.Code != client.ExitFailed || got.Out != "" || !strings.Contains(got.Err, "state        UNKNOWN") ||
			!strings.Contains(got.Err, "Settle for good that the call created nothing, and may be sent again? [y/N] ") || !strings.Contains(got.Err, "digate: nothing was settled") {
			t.Errorf("%q: %+v", reply, got)
		}
	}
	if got := digate(t, "ledger", "show", "lost", "--addr", addr); got.Code != client.ExitDone || !strings.Contains(got.Out, "UNKNOWN") {
		t.Errorf("it was settled: %+v", got)
	}
	id := e.Integrations(clitest.Token)[0].ID
	got := atTerminal(t, "YES\n", "ledger", "resolve", "lost", "--integration", id, "--addr", addr)
	if got.Code != client.ExitDone || !strings.Contains(got.Err, "created the integration "+id+"? [y/N] ") || !strings.Contains(got.Out, "integration  "+id) {
		t.Errorf("%+v", got)
	}
}
