package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
)

func TestLedgerUpkeep_WhileAServerRuns_ShowsAndChecks(t *testing.T) {
	o := operate(t)
	o.doubt(t, "order-1")
	got := digate(t, "ledger", "stats", "--ledger", o.spec, "-o", "json")
	var stats ledgerStats
	if err := json.Unmarshal([]byte(got.Out), &stats); err != nil || got.Code != client.ExitDone {
		t.Fatalf("%+v, %v", got, err)
	}
	if stats.Engine != "sqlite" || stats.Schema != 3 || stats.SizeBytes == 0 || stats.Records != 1 || stats.Doubts != 1 || stats.OldestDoubtSeconds <= 0 ||
		stats.Expired != 0 || len(stats.Groups) != 1 || stats.Groups[0].State != "unknown" || stats.Groups[0].Method != "CopyTemplate" {
		t.Errorf("%+v", stats)
	}
	got = digate(t, "ledger", "stats", "--ledger", o.spec)
	if got.Code != client.ExitDone || !strings.Contains(got.Out, "doubts   1, the oldest of ") || !strings.Contains(got.Out, "unknown  CopyTemplate  1") {
		t.Errorf("%+v", got)
	}
	for out, args := range map[string][]string{
		"0 records have expired; nothing was removed\n": {"prune", "--dry-run"},
		"removed 0 expired records\n":                   {"prune"},
		"nothing is wrong with the ledger\n":            {"check"},
	} {
		if got := digate(t, append(append([]string{"ledger"}, args...), "--ledger", o.spec)...); got.Code != client.ExitDone || got.Out != out {
			t.Errorf("%q: %+v", args, got)
		}
	}
	for _, command := range []string{"stats", "prune", "check"} {
		if got := digate(t, "ledger", command, "--ledger", "memory"); got.Code != client.ExitUsage || !strings.Contains(got.Err, "sqlite:PATH or postgres://") {
			t.Errorf("%s: %+v", command, got)
		}
		if got := digate(t, "ledger", command, "--ledger", o.spec+"-none"); got.Code != client.ExitFailed || !strings.Contains(got.Err, "there is no such file") {
			t.Errorf("%s: %+v", command, got)
		}
	}
}

func TestLedgerCheck_AnotherKey_IsAFinding(t *testing.T) {
	o, other := operate(t), operate(t)
	got := digate(t, "ledger", "check", "--ledger", o.spec, "--ledger-key-file", strings.TrimPrefix(other.spec, "sqlite:")+".key")
	if got.Code != client.ExitFindings || !strings.Contains(got.Out, "another key") || got.Err != "" {
		t.Errorf("%+v", got)
	}
}
