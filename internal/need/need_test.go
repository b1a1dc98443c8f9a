package need_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/digate/digate/internal/need"
)

// ending records how a test would have ended.
type ending struct {
	testing.TB
	text string
}

func (e *ending) Helper() {}

func (e *ending) Skip(args ...any) { e.text = "skipped: " + fmt.Sprint(args...) }

func (e *ending) Fatalf(format string, args ...any) {
	e.text = "failed: " + fmt.Sprintf(format, args...)
	panic(e)
}

func missing(t *testing.T, name string) (text string) {
	e := &ending{TB: t}
	defer func() {
		if p := recover(); p != nil && p != any(e) {
			panic(p)
		}
		text = e.text
	}()
	need.Missing(e, name, "there is none")
	return e.text
}

func TestMissing_OnlyWhatTheMachineMustHave_Fails(t *testing.T) {
	for list, want := range map[string]string{
		"":                  "skipped: there is none",
		"postgres":          "skipped: there is none",
		"nginxx":            "skipped: there is none",
		"nginx":             "failed: DIGATE_TEST_REQUIRE names nginx: there is none",
		"postgres,nginx,sh": "failed: DIGATE_TEST_REQUIRE names nginx: there is none",
	} {
		t.Setenv(need.Variable, list)
		if got := missing(t, "nginx"); got != want {
			t.Errorf("%q: got %q, want %q", list, got, want)
		}
	}
}

func TestProgram_InThePath_IsReturnedAndElseMissing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	t.Setenv(need.Variable, "")
	e := &ending{TB: t}
	if got := need.Program(e, "digate-need"); got != "" || e.text != "skipped: this machine has no digate-need" {
		t.Errorf("got %q, %q", got, e.text)
	}
	path := filepath.Join(dir, "digate-need")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := need.Program(t, "digate-need"); got != path {
		t.Errorf("got %q, want %q", got, path)
	}
}
