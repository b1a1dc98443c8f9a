package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/test/await"
)

// atTerminal runs a command line in front of a person who types, and who sees standard
// error and what is typed.
func atTerminal(t *testing.T, typed string, args ...string) clitest.Ran {
	t.Helper()
	return inDialogue(t, []reply{{"", typed}}, args...)
}

// reply is what a person types when a question is there.
type reply struct{ question, typed string }

// inDialogue is atTerminal with a person who waits for each question.
func inDialogue(t *testing.T, replies []reply, args ...string) clitest.Ran {
	t.Helper()
	command, person := clitest.Terminal(t, 60)
	var out, seen await.Transcript
	go func() { _, _ = io.Copy(&seen, person) }()
	code := make(chan int, 1)
	go func() { code <- run(t.Context(), args, term.IO{In: command, Out: &out, Err: command}) }()
	for _, r := range replies {
		seen.Await(t, r.question)
		if _, err := person.WriteString(r.typed); err != nil {
			t.Fatal(err)
		}
	}
	got := clitest.Ran{Code: await.Value(t, code, "the end of the command"), Out: out.String()}
	if _, err := command.WriteString(clitest.EndOfScreen); err != nil {
		t.Fatal(err)
	}
	got.Err, _, _ = strings.Cut(seen.Await(t, clitest.EndOfScreen), clitest.EndOfScreen)
	got.Err = strings.ReplaceAll(got.Err, "\r\n", "\n")
	return got
}

func TestDelete_AtATerminal_AsksAndObeys(t *testing.T) {
	addr, e := stand(t)
	id := copied(t, addr, clitest.TemplateID, "--name", "Shop")
	for _, answer := range []string{"n\n", "\n", "yup\n", "\x04"} { // the last ends the input
		got := atTerminal(t, answer, "integrations", "delete", id, "--addr", addr)
		if got.Code != client.ExitFailed || got.Out != "" || !strings.Contains(got.Err, "Delete the integration Shop ("+id+") with its tools, for good? [y/N] ") ||
			!strings.Contains(got.Err, "digate: nothing was deleted") {
			t.Errorf("%q: %+v", answer, got)
		}
	}
	if n := len(e.Integrations(clitest.Token)); n != 1 {
		t.Fatalf("%d integrations are left", n)
	}
	got := atTerminal(t, "Yes\n", "integrations", "delete", id, "--addr", addr)
	if got.Code != client.ExitDone || got.Out != "integration "+id+" was deleted\n" || len(e.Integrations(clitest.Token)) != 0 {
		t.Errorf("%+v", got)
	}
	got = atTerminal(t, "y\n", "integrations", "delete", id, "--addr", addr)
	if got.Code != client.ExitRejected || strings.Contains(got.Err, "[y/N]") {
		t.Errorf("what is gone: %+v", got)
	}
}

func TestDelete_InterruptedWhileAsking_DeletesNothing(t *testing.T) {
	addr, e := stand(t)
	id := copied(t, addr, clitest.TemplateID)
	command, person := clitest.Terminal(t, 60)
	ctx, interrupt := context.WithCancel(t.Context())
	var out, err await.Transcript
	go func() { _, _ = io.Copy(&err, person) }()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"integrations", "delete", id, "--addr", addr}, term.IO{In: command, Out: &out, Err: command})
	}()
	err.Await(t, "[y/N] ")
	interrupt()
	if got := <-code; got != client.ExitFailed || !strings.Contains(err.Await(t, "nothing was deleted"), "nothing was deleted: interrupted") || len(e.Integrations(clitest.Token)) != 1 {
		t.Errorf("exit code %d, %s", got, err.String())
	}
	_, _ = person.WriteString("\n") // ends the reading that went on
}

func TestBulk_RowsAreTyped_SaysHowTheyEndAndDrawsNothingOverThem(t *testing.T) {
	addr, e := stand(t)
	args := []string{"bulk", "-", "--format", "csv", "--addr", addr, "--job"}
	const rows = "template_id,name,var.shop,api_key\n" + clitest.TemplateID + ",North,north,k\n"
	got := atTerminal(t, rows+"\x04", append(args, filepath.Join(t.TempDir(), "job"))...)
	if got.Code != client.ExitDone || !strings.Contains(got.Err, "Type or paste the rows in CSV, below a header row.\nCtrl-D on a line of its own ends the input.\n") ||
		strings.Contains(got.Err, "under way") || strings.Contains(got.Err, "\r") || len(e.Integrations(clitest.Token)) != 1 {
		t.Errorf("%+v", got)
	}
	got = digateWith(t, rows, append(args, filepath.Join(t.TempDir(), "job"))...)
	if strings.Contains(got.Err, "Ctrl-D") {
		t.Errorf("without a terminal: %+v", got)
	}
}

func TestList_OnATerminal_IsCutToItsWidth(t *testing.T) {
	addr, _ := stand(t)
	command, person := clitest.Terminal(t, 60)
	var stderr await.Transcript
	read := make(chan string, 1)
	go func() {
		var text strings.Builder
		buf := make([]byte, 4096)
		for strings.Count(text.String(), "\n") < 3 {
			n, err := person.Read(buf)
			if err != nil {
				break
			}
			text.Write(buf[:n])
		}
		read <- text.String()
	}()
	if code := run(t.Context(), []string{"templates", "list", "--limit", "2", "--addr", addr}, term.IO{In: strings.NewReader(""), Out: command, Err: &stderr}); code != client.ExitDone {
		t.Fatalf("exit code %d, %s", code, stderr.String())
	}
	shown := strings.ReplaceAll(<-read, "\r\n", "\n")
	if !strings.Contains(shown, clitest.TemplateID+"  Shopify") || !strings.Contains(shown, "…") {
		t.Errorf("shown:\n%s", shown)
	}
	for line := range strings.Lines(shown) {
		if n := term.Width(strings.TrimRight(line, "\n")); n > 36+3*(2+term.MinCell) {
			t.Errorf("a line of %d columns: %s", n, line)
		}
	}
}
