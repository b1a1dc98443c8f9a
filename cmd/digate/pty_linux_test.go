package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a terminal of so many columns: what a command has, and what
// the person in front of it has.
func terminal(t *testing.T, columns int) (command, person *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("there is no terminal to be had: ", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	command, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Close() })
	if err := unix.IoctlSetWinsize(int(command.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	return command, person
}

// atTerminal runs a command line in front of a person who types.
func atTerminal(t *testing.T, typed string, args ...string) ran {
	t.Helper()
	command, person := terminal(t, 60)
	if _, err := person.WriteString(typed); err != nil {
		t.Fatal(err)
	}
	var out, err transcript
	code := run(t.Context(), args, stdio{command, &out, &err})
	return ran{code, out.String(), err.String()}
}

func TestDelete_AtATerminal_AsksAndObeys(t *testing.T) {
	addr, e := stand(t)
	id := copied(t, addr, templateID, "--name", "Shop")
	for _, answer := range []string{"n\n", "\n", "yup\n", "\x04"} { // the last ends the input
		got := atTerminal(t, answer, "integrations", "delete", id, "--addr", addr)
		if got.code != exitFailed || got.out != "" || !strings.Contains(got.err, "Delete the integration Shop ("+id+") with its tools, for good? [y/N] ") ||
			!strings.Contains(got.err, "digate: nothing was deleted") {
			t.Errorf("%q: %+v", answer, got)
		}
	}
	if n := len(e.Integrations(token)); n != 1 {
		t.Fatalf("%d integrations are left", n)
	}
	got := atTerminal(t, "Yes\n", "integrations", "delete", id, "--addr", addr)
	if got.code != exitDone || got.out != "integration "+id+" was deleted\n" || len(e.Integrations(token)) != 0 {
		t.Errorf("%+v", got)
	}
	got = atTerminal(t, "y\n", "integrations", "delete", id, "--addr", addr)
	if got.code != exitRejected || strings.Contains(got.err, "[y/N]") {
		t.Errorf("what is gone: %+v", got)
	}
}

func TestDelete_InterruptedWhileAsking_DeletesNothing(t *testing.T) {
	addr, e := stand(t)
	id := copied(t, addr, templateID)
	command, person := terminal(t, 60)
	ctx, interrupt := context.WithCancel(t.Context())
	var out, err transcript
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"integrations", "delete", id, "--addr", addr}, stdio{command, &out, &err})
	}()
	err.await(t, "[y/N] ")
	interrupt()
	if got := <-code; got != exitFailed || !strings.Contains(err.String(), "nothing was deleted: interrupted") || len(e.Integrations(token)) != 1 {
		t.Errorf("exit code %d, %s", got, err.String())
	}
	_, _ = person.WriteString("\n") // ends the reading that went on
}

func TestList_OnATerminal_IsCutToItsWidth(t *testing.T) {
	addr, _ := stand(t)
	command, person := terminal(t, 60)
	var stderr transcript
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
	if code := run(t.Context(), []string{"templates", "list", "--limit", "2", "--addr", addr}, stdio{strings.NewReader(""), command, &stderr}); code != exitDone {
		t.Fatalf("exit code %d, %s", code, stderr.String())
	}
	shown := strings.ReplaceAll(<-read, "\r\n", "\n")
	if !strings.Contains(shown, templateID+"  Shopify") || !strings.Contains(shown, "…") {
		t.Errorf("shown:\n%s", shown)
	}
	for line := range strings.Lines(shown) {
		if n := textWidth(strings.TrimRight(line, "\n")); n > 36+3*(2+minCell) {
			t.Errorf("a line of %d columns: %s", n, line)
		}
	}
}
