package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/clitest"
)

func TestExposesPassword_OnlyOneOnTheCommandLine(t *testing.T) {
	const with, without = "postgres://u:hunter2@db/x", "postgres://u@db/x"
	for _, c := range []struct {
		args    []string
		setting string
		want    bool
	}{
		{[]string{"serve", "--ledger", with}, with, true},
		{[]string{"serve", "--ledger=" + with}, with, true},
		{[]string{"serve", "--ledger=" + without + "?password=hunter2"}, without + "?password=hunter2", true},
		{[]string{"serve"}, with, false}, // from the environment or the file
		{[]string{"serve", "--ledger", without}, without, false},
		{[]string{"serve"}, "memory", false},
	} {
		if got := exposesPassword(c.args, c.setting); got != c.want {
			t.Errorf("%q, %s: got %v", c.args, c.setting, got)
		}
	}
}

func TestServe_PasswordOnTheCommandLine_IsWarnedOf(t *testing.T) {
	const ledger = "postgres://u:hunter2@127.0.0.1:1/x?sslmode=disable"
	key := clitest.WriteFile(t, "key", strings.Repeat("ab", 32))
	for name, onCommandLine := range map[string]bool{"command line": true, "environment": false} {
		args := []string{"serve", "--ledger-key-file", key}
		if onCommandLine {
			args = append(args, "--ledger", ledger)
		}
		cmd := exec.Command(binary(t), args...)
		p := new(process)
		cmd.Env = append(cmd.Environ(), "DIGATE_LEDGER="+ledger)
		cmd.Stderr = &p.err
		p.start(t, cmd)
		if code := p.wait(t); code != 1 { // nothing listens there
			t.Errorf("%s: exit code %d", name, code)
		}
		if log := p.err.String(); strings.Contains(log, "shows the password") != onCommandLine || strings.Contains(log, "hunter2") {
			t.Errorf("%s: the log is %s", name, log)
		}
	}
}
