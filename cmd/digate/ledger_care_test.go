package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
)

// A copy that is made while a server uses the ledger can be opened with its key, and
// has what was recorded.
func TestLedgerBackup_WhileAServerRuns_HasTheRecords(t *testing.T) {
	o := operate(t)
	record := o.doubt(t, "order-1")
	copied := filepath.Join(t.TempDir(), "copy.db")
	if got := digate(t, "ledger", "backup", copied, "--ledger", o.spec); got.Code != client.ExitDone || got.Out != "wrote "+copied+" and "+copied+".key\n" {
		t.Fatalf("%+v", got)
	}
	for _, name := range []string{copied, copied + ".key"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if got := listedRecords(t, digate(t, "ledger", "list", "--ledger", "sqlite:"+copied, "-o", "json")); len(got) != 1 || got[0] != record {
		t.Errorf("got %q, want %q", got, record)
	}
	if got := digate(t, "ledger", "backup", copied, "--ledger", o.spec); got.Code != client.ExitFailed || !strings.Contains(got.Err, "exists") {
		t.Errorf("a file that is there: %+v", got)
	}
	for _, args := range [][]string{{"backup", copied}, {"migrate", "--ledger", "memory"}, {"migrate", "--ledger", o.spec, "--timeout", "0s"}} {
		if got := digate(t, append([]string{"ledger"}, args...)...); got.Code != client.ExitUsage {
			t.Errorf("%q: %+v", args, got)
		}
	}
}
