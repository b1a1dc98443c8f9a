package term_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/file"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/test/await"
)

func TestReadSecret_AtATerminal_TakesWhatIsTypedAndShowsNothing(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 10_000)
	for typed, row := range map[string]struct{ want, fails string }{
		"secret\r":           {"secret", ""},
		" a b \n":            {" a b ", ""},
		"sex\x7fñ\x7fcret\r": {"secret", ""},
		"wrong\x15right\r":   {"right", ""},
		"end\x04":            {"end", ""},
		long + "\r":          {long, ""},
		"\r":                 {"", "is empty"},
		"\x7f\x04":           {"", "is empty"},
		"a\x1b[Db\r":         {"", "has a control character, such as that of an arrow key"},
		"\xff\r":             {"", "is not UTF-8"},
		strings.Repeat("k", file.MaxSecret+2) + "\r": {"", "is larger than 65536 bytes"},
	} {
		command, person := clitest.Terminal(t, 80)
		var seen await.Transcript
		go func() { _, _ = io.Copy(&seen, person) }()
		go func() {
			seen.Await(t, "Key (not shown): ")
			_, _ = person.WriteString(typed)
		}()
		got, err := term.ReadSecret(t.Context(), term.IO{In: command, Err: command}, "-", "Key")
		if got != row.want || (err == nil) != (row.fails == "") || err != nil && err.Error() != row.fails {
			t.Errorf("%.20q: got %.20q, %v", typed, got, err)
		}
		if screen := seen.Await(t, "\n"); screen != "Key (not shown): \r\n" {
			t.Errorf("%.20q: seen %.60q", typed, screen)
		}
	}
}

func TestAskSecret_Interrupted_ReturnsAtOnce(t *testing.T) {
	t.Parallel()
	command, _ := clitest.Terminal(t, 80)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := term.AskSecret(ctx, term.IO{In: command, Err: io.Discard}, "Key: "); got != "" || err == nil || err.Error() != "interrupted" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestCanRedraw_DumbTerminal_CannotClearALine(t *testing.T) {
	command, _ := clitest.Terminal(t, 80)
	for name, want := range map[string]bool{"dumb": false, "xterm": true, "": true} {
		t.Setenv("TERM", name)
		if term.CanRedraw(command) != want {
			t.Errorf("TERM=%s: got %t", name, !want)
		}
	}
	if term.CanRedraw(io.Discard) {
		t.Error("what is no terminal")
	}
}
