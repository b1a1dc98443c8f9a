package main

import (
	"strings"
	"testing"

	digatev1 "github.com/digate/digate/gen/digate/v1"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
)

// What a failed question about a copy shows must not be read as the fate of the copy:
// `digate ledger show X || digate copy …` would make a second one.
func TestLedger_QuestionFails_ConcludesNothingAboutTheCopy(t *testing.T) {
	addr, e := stand(t)
	if got := digate(t, "copy", clitest.TemplateID, "--request-id", "order-1", "--addr", addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	const done = "failed: the call is done, not in doubt\n" +
		"  code FAILED_PRECONDITION, reason RECORD_NOT_RESOLVABLE\n" +
		"  Nothing was settled. Look at what is recorded of the call with `digate ledger show`.\n"
	show := "  -> " + term.Self() + " ledger show order-1 --addr " + addr + "\n"
	list := "  -> " + term.Self() + " integrations list --addr " + addr + "\n"
	for name, c := range map[string]struct {
		token string
		args  []string
		want  string
	}{
		"not in doubt": {clitest.Token, []string{"resolve", "order-1", "--not-created", "--yes", "--addr", addr}, done + show},
		"another token": {"another", []string{"show", "order-1", "--addr", addr}, "" +
			"failed: the ledger has no record with this request id of this caller; that does not mean that nothing was created\n" +
			"  code NOT_FOUND, reason RECORD_NOT_FOUND\n" +
			"  The call may have been made with another token or through a digate with another ledger, or its record may be gone. Look at what Diga has before you call again.\n" + list},
		"another token, settling": {"another", []string{"resolve", "order-1", "--not-created", "--yes", "--addr", addr}, "" +
			"failed: the ledger has no record with this request id of this caller; that does not mean that nothing was created\n" +
			"  code NOT_FOUND, reason RECORD_NOT_FOUND\n" +
			"  The call may have been made with another token or through a digate with another ledger, or its record may be gone. Look at what Diga has before you call again.\n" + list},
		"malformed": {clitest.Token, []string{"resolve", "\x01", "--not-created", "--yes", "--addr", addr}, "so this says nothing about the call. It may have been carried out.\n"},
		"no digate": {clitest.Token, []string{"show", "order-1", "--addr", "127.0.0.1:1"}, "" +
			"  The question has no response, so this says nothing about the call. It may have been carried out.\n"},
		"no digate, settling": {clitest.Token, []string{"resolve", "order-1", "--not-created", "--yes", "--addr", "127.0.0.1:1"}, "" +
			"  The question has no response, so this says nothing about the call. It may have been carried out.\n"},
	} {
		t.Setenv("DIGATE_TOKEN", c.token)
		got := digate(t, append([]string{"ledger"}, c.args...)...)
		if got.Code != client.ExitFailed || !strings.HasSuffix(got.Err, c.want) {
			t.Errorf("%s: exit code %d\n%s", name, got.Code, got.Err)
		}
		for _, word := range []string{"NOT_SENT", "REJECTED", "UNKNOWN:", "othing was sent", "nothing was done"} {
			if strings.Contains(got.Err, word) {
				t.Errorf("%s: %q concludes something about the copy:\n%s", name, word, got.Err)
			}
		}
	}
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	if got := digate(t, "ledger", "show", "order-2", "--addr", addr, "-o", "json"); got.Code != client.ExitFailed || !strings.Contains(got.Err, `"outcome":"NOT_APPLICABLE"`) {
		t.Errorf("%+v", got)
	}
	if n := len(e.Integrations(clitest.Token)); n != 1 {
		t.Errorf("%d integrations", n)
	}
}

func TestLedgerShow_OddID_IsPrintedOnOneLine(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{"": "(its id is too long to be recorded)", "a\nb": "a\ufffdb"} {
		for _, record := range []*digatev1.Copy{
			{State: digatev1.Copy_STATE_DONE, IntegrationId: id},
			{State: digatev1.Copy_STATE_DONE, Method: digatev1.Method_METHOD_CREATE_TOOL, ToolId: id},
		} {
			var out strings.Builder
			if err := showRecord(&out, record); err != nil || !strings.Contains(out.String(), "  "+want+"\n") {
				t.Errorf("%q: %s, %v", id, &out, err)
			}
		}
	}
}
