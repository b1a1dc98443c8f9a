package term

import (
	"os/exec"
	"testing"

	"github.com/digate/digate/internal/need"
)

func TestMadeByGoRun_TellsWhatGoRunMade(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/tmp/go-build247309109/b001/exe/digate":             true,
		"/home/me/.cache/go-build/d6/d6eb702d0324-d/digate":  true,
		"/home/me/Library/Caches/go-build/d6/d6eb7-d/digate": true,
		"/usr/local/bin/digate":                              false,
		"/tmp/digate":                                        false,
		"/home/me/go/bin/digate":                             false,
		"digate":                                             false,
	} {
		if got := madeByGoRun(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestShellWord_IsOneWordOfAShell(t *testing.T) {
	t.Parallel()
	need.Program(t, "sh")
	for _, s := range []string{"/usr/bin/digate", "/my programs/it's $HOME/digate", "[::1]:9090", "a\"b`c\\d", "", "~/x", "*"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+ShellWord(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q came out as %q, %v", s, out, err)
		}
	}
	if got := ShellWord("/usr/bin/digate"); got != "/usr/bin/digate" {
		t.Errorf("quoted for nothing: %s", got)
	}
}
