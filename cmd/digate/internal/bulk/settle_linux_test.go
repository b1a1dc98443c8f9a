package bulk

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
)

// settles runs --settle at a terminal, where a person types.
func (f *shopFile) settles(typed string, code int, args ...string) (screen string) {
	f.t.Helper()
	args = append([]string{"bulk", f.path, "--addr", f.s.addr, "--settle"}, args...)
	screen, got := clitest.Watch(f.t, typed, func(std term.IO) int { return runCommand(f.t.Context(), args, std) })
	if got != code {
		f.t.Errorf("exit code %d, want %d\n%s", got, code, screen)
	}
	return strings.ReplaceAll(screen, "\n", "") // what is typed is not echoed in its place
}

// losing loses the responses to the rows of these names.
func (f *shopFile) losing(names string) {
	lost := apierror.ResponseLost(nil, true).GRPCStatus().Err()
	f.s.item = func(_ int, req *integrationv1.CopyTemplateRequest) verdict {
		if names != "" && strings.Contains(names, req.GetName()) {
			return verdict{fail: lost}
		}
		return carryOut
	}
}

const settledID = "d7f9b7ce-5cf1-4bd9-8e1d-1f3b8a4d6b65"

func TestSettle_ResultsOfTheLastRun_SayAtOnceWhatWasSettled(t *testing.T) {
	f := newShopFile(t)
	f.losing("bcd")
	f.run(client.ExitUnknown, named("a", "b", "c", "d"))
	f.want("in doubt", "a|2|made", "b|3|in doubt|Diga's response was lost; the request may have been carried out", "c|4|in doubt|Diga's response was lost; the request may have been carried out", "d|5|in doubt|Diga's response was lost; the request may have been carried out")
	screen := f.settles(settledID+"\nn\ny\n\n", client.ExitUnknown)
	if !strings.Contains(screen, "settled: 1 row made, 1 not made; left in doubt: 1") || !strings.Contains(screen, "results: ") || !strings.Contains(screen, "To make what was not made:") {
		t.Error(screen)
	}
	f.want("settled", "a|2|made", "b|3|made by an earlier run", "c|4|not made|settled: it made nothing; the next run makes it", "d|5|in doubt|Diga's response was lost; the request may have been carried out")
	if got := string(read(t, filepath.Join(filepath.Dir(f.path), "rows.results.csv"))); !strings.Contains(got, ",b,3,made by an earlier run,"+settledID+",,,") {
		t.Error(got)
	}
	f.losing("")
	if screen = f.settles(settledID[:35]+"6\n", client.ExitDone); strings.Contains(screen, "To make") || strings.Contains(screen, "To write") {
		t.Error(screen)
	}
	f.run(client.ExitDone, named("a", "b", "c", "d"))
	f.want("again", "a|2|made by an earlier run", "b|3|made by an earlier run", "c|4|made", "d|5|made by an earlier run")
	wantNames(t, f.s, "again", "a", "c")
}

// Results may be elsewhere, in another form, changed, or nowhere.
func TestSettle_ResultsElsewhere_AreRewrittenAsTheyWereWritten(t *testing.T) {
	f := newShopFile(t)
	f.losing("bc")
	results := filepath.Join(filepath.Dir(f.path), "x.ndjson")
	f.run(client.ExitUnknown, "\ufeff"+strings.ReplaceAll(named("a", "b", "c"), ",", ";"), "--results", results)
	f.run(client.ExitUnknown, "\ufeff"+strings.ReplaceAll(named("a", "b", "c"), ",", ";"))
	before := string(read(t, results))
	f.settles(settledID+"\n\n", client.ExitUnknown, "--results", results)
	lines, was := strings.Split(string(read(t, results)), "\n"), strings.Split(before, "\n")
	if lines[0] != was[0] || lines[2] != was[2] || !strings.Contains(lines[1], `"outcome":"REPLAYED","integration_id":"`+settledID+`","missing":"","code":"","reason":"","message":""}`) {
		t.Errorf("%s\nbefore:\n%s", strings.Join(lines, "\n"), before)
	}
	beside := filepath.Join(filepath.Dir(f.path), "rows.results.csv")
	f.settles("\n", client.ExitUnknown)
	if got := string(read(t, beside)); !strings.HasPrefix(got, "\ufeffkey;name;line;result;") || !strings.Contains(got, ";b;3;made by an earlier run;"+settledID+";") {
		t.Error(got)
	}
	edited := strings.Replace(string(read(t, beside)), "key;", "mine;", 1)
	writeAgain(t, beside, edited)
	if screen := f.settles("\n", client.ExitUnknown); string(read(t, beside)) != edited || !strings.Contains(screen, "is not as a run wrote it") || !strings.Contains(screen, "To write the results:") {
		t.Error(screen)
	}
}

// A row whose record the ledger has deleted is settled by the job alone.
func TestSettle_LedgerHasForgottenTheRow_ThePersonStillSettlesIt(t *testing.T) {
	f := newShopFile(t)
	f.losing("bc")
	f.run(client.ExitUnknown, named("a", "b", "c"))
	clear(f.s.doubts)
	long := time.Now().Add(-48 * time.Hour).UTC()
	job := string(read(t, f.path+jobSuffix))
	for _, field := range []string{"created", "deadline"} {
		job = regexp.MustCompile(`"`+field+`":"[^"]*"`).ReplaceAllString(job, `"`+field+`":"`+long.Format(time.RFC3339)+`"`)
		long = long.Add(24 * time.Hour)
	}
	writeAgain(t, f.path+jobSuffix, job)
	f.losing("")
	f.run(client.ExitUnknown, named("a", "b", "c"))
	screen := f.settles(settledID+"\nn\ny\n", client.ExitDone)
	if !strings.Contains(screen, "line 3, b, which the ledger has forgotten") || !strings.Contains(screen, "settled: 1 row made, 1 not made; left in doubt: 0") {
		t.Error(screen)
	}
	f.want("settled", "a|2|made by an earlier run", "b|3|made by an earlier run", "c|4|not made|settled: it made nothing; the next run makes it")
	f.run(client.ExitDone, named("a", "b", "c"))
	f.want("again", "a|2|made by an earlier run", "b|3|made by an earlier run", "c|4|made")
	wantNames(t, f.s, "again", "a", "c")
}

// As long as the ledger keeps its promise, a row that it does not know made nothing.
func TestSettle_LedgerKnowsNothingOfTheRow_ItIsNotMade(t *testing.T) {
	f := newShopFile(t)
	f.losing("b")
	f.run(client.ExitUnknown, named("a", "b"))
	clear(f.s.doubts)
	if screen := f.settles("", client.ExitDone); !strings.Contains(screen, "settled: 0 rows made, 1 not made; left in doubt: 0") || !strings.Contains(screen, "To make what was not made:") {
		t.Error(screen)
	}
	f.want("settled", "a|2|made", "b|3|not made|settled: it made nothing; the next run makes it")
}
