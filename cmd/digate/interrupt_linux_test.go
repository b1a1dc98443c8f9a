package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/test/await"
	"github.com/digate/digate/test/rig"
)

// launchAtTerminal starts the built command as a shell does at a terminal, whose keys send
// it signals. seen gets what the person sees.
func launchAtTerminal(t *testing.T, seen *await.Transcript, args ...string) (p *rig.Process, command, person *os.File) {
	t.Helper()
	command, person = clitest.Terminal(t, 80)
	go func() { _, _ = io.Copy(seen, person) }()
	cmd := exec.Command(binary(t), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = command, command, command
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p, err := rig.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p, command, person
}

func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	is, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return is.Lflag&unix.ECHO != 0 && is.Lflag&unix.ICANON != 0
}

// A shell sees 130, and ends a loop that the command is in.
func TestCtrlC_AtEveryQuestion_EndsBySIGINTAndRestoresTheTerminal(t *testing.T) {
	addr, e := stand(t)
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	t.Setenv("DIGATE_ADDR", addr)
	id := copied(t, addr, clitest.TemplateID)
	for question, args := range map[string][]string{
		"[y/N] ":                     {"integrations", "delete", id},
		whichTemplate:                {"copy"},
		"API key (not shown): ":      {"copy", clitest.TemplateID, "--api-key-file", "-"},
		"Value of shop (not shown):": {"copy", clitest.TemplateID, "--var", "shop"},
		"Header X (not shown): ":     {"integrations", "update", id, "--header", "X"},
		"Token (not shown): ":        {"doctor", "--token-file", "-"},
	} {
		var seen await.Transcript
		p, command, person := launchAtTerminal(t, &seen, args...)
		seen.Await(t, question)
		if hidden := strings.Contains(question, "not shown"); echoes(t, command) == hidden {
			t.Errorf("%q: hidden %t", question, hidden)
		}
		if _, err := person.WriteString("\x03"); err != nil {
			t.Fatal(err)
		}
		await.Value(t, p.Ended(), "the end of the command")
		status := p.State().Sys().(syscall.WaitStatus)
		if !status.Signaled() || status.Signal() != syscall.SIGINT || !strings.Contains(seen.Await(t, "interrupted"), "interrupted") {
			t.Errorf("%q: %v\n%s", question, p.State(), seen.String())
		}
		if !echoes(t, command) {
			t.Errorf("%q: the terminal still hides what is typed", question)
		}
	}
	if n := len(e.Integrations(clitest.Token)); n != 1 {
		t.Errorf("%d integrations", n)
	}
}

func TestCtrlC_WhileInputIsTyped_EndsBySIGINT(t *testing.T) {
	addr, e := stand(t)
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	t.Setenv("DIGATE_ADDR", addr)
	job := filepath.Join(t.TempDir(), "job")
	began := digateWith(t, "template_id,name,var.shop,api_key\n", "bulk", "-", "--format", "csv", "--job", job)
	if began.Code != client.ExitDone {
		t.Fatalf("%+v", began)
	}
	for what, args := range map[string][]string{
		"the OpenAPI document, in JSON":              {"contract", "diff", "-"},
		"the rows in CSV, below a header row":        {"bulk", "-", "--format", "csv", "--dry-run"},
		"the rows in NDJSON, an object on each line": {"bulk", "-", "--format", "ndjson", "--job", job + "-new"},
		"the rows in CSV":                            {"bulk", "-", "--format", "csv", "--job", job},
	} {
		for _, typed := range []string{"", "some\nmore"} {
			var seen await.Transcript
			p, _, person := launchAtTerminal(t, &seen, args...)
			seen.Await(t, "Type or paste "+what)
			seen.Await(t, "Ctrl-D on a line of its own ends the input.\r\n")
			if _, err := person.WriteString(typed + "\x03"); err != nil {
				t.Fatal(err)
			}
			await.Value(t, p.Ended(), "the end of the command")
			if status := p.State().Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
				t.Errorf("%q, %q: %v\n%s", args, typed, p.State(), seen.String())
			}
		}
	}
	if n := len(e.Integrations(clitest.Token)); n != 0 {
		t.Errorf("%d integrations", n)
	}
}

func TestCtrlZ_AtASecret_ShowsWhatIsTypedUntilItGoesOn(t *testing.T) {
	addr, _ := stand(t)
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	var seen await.Transcript
	p, command, person := launchAtTerminal(t, &seen, "copy", clitest.TemplateID, "--addr", addr, "--api-key-file", "-")
	const question = "API key (not shown): "
	seen.Await(t, question)
	if err := unix.Kill(p.PID(), unix.SIGTSTP); err != nil { // Ctrl-Z stops no process without a shell
		t.Fatal(err)
	}
	if err := await.Poll(await.Patience, p.Ended(), func() error {
		if !echoes(t, command) {
			return errors.New("the terminal hides what is typed")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(p.PID(), unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	seen.Await(t, question+question)
	if echoes(t, command) {
		t.Error("the terminal shows what is typed")
	}
	if _, err := person.WriteString(clitest.APIKey + "\n"); err != nil {
		t.Fatal(err)
	}
	await.Value(t, p.Ended(), "the end of the command")
	if p.State().ExitCode() != 0 || strings.Contains(seen.String(), "hunter2") {
		t.Errorf("%v\n%s", p.State(), seen.String())
	}
}
