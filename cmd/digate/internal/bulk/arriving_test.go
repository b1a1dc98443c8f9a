package bulk

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
)

// Rows from standard input are looked at as they arrive: one that lacks something is
// left out, and the others are sent.
func TestBulk_StandardInputLacksSomething_ThoseRowsAreLeftOut(t *testing.T) {
	s := serve(t)
	s.base = "https://<<n>>"
	job := filepath.Join(t.TempDir(), "job")
	content := "template_id,name,var.n,var.m\n" + clitest.TemplateID + ",a,1,\n" + clitest.TemplateID + ",b,,1\n" + clitest.TemplateID + ",c,1,\n" + clitest.TemplateID + ",\"d\n"
	run := func(args ...string) clitest.Ran {
		t.Helper()
		return digateWith(t, content, append([]string{"bulk", "-", "--format", "csv", "--addr", s.addr, "--job", job}, args...)...)
	}
	got := run()
	results := clitest.ResultsOf(t, got.Out)
	if got.Code != client.ExitNotSent || results[2].Outcome != rowDone || results[4].Outcome != rowDone || results[3].Outcome != rowNotSent || results[3].Reason != reasonUnfinished || results[5].Reason != reasonInvalidRow {
		t.Errorf("%+v", got)
	}
	for _, want := range []string{"line 3: <<n>> in base_url has no value", "line 3: the variable m is not used", "To fill in: what 1 row lacks", "To change in the file: 1 row"} {
		if !strings.Contains(got.Err, want) {
			t.Errorf("no %q in\n%s", want, got.Err)
		}
	}
	wantNames(t, s, "first", "a", "c")
	if s.templates != 1 {
		t.Errorf("the template was read %d times", s.templates)
	}
	// With a job, all of it is read before anything is sent, as a file is.
	if got := run(); got.Code != client.ExitNotSent || !strings.Contains(got.Err, "nothing was sent: of 1 row, 1 would need setup") {
		t.Errorf("again: %+v", got)
	}
	if got := run("--unfinished=allow"); got.Code != client.ExitNotSent {
		t.Errorf("allowed: %+v", got)
	}
	wantNames(t, s, "allowed", "a", "b", "c")
}
