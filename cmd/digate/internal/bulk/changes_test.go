package bulk

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

func named(names ...string) string {
	var b strings.Builder
	b.WriteString("template_id,name\n")
	for _, name := range names {
		fmt.Fprintf(&b, "%s,%s\n", clitest.TemplateID, name)
	}
	return b.String()
}

func keyed(rows ...string) string {
	var b strings.Builder
	b.WriteString("key,name,template_id\n")
	for _, row := range rows {
		fmt.Fprintf(&b, "%s,%s\n", row, clitest.TemplateID)
	}
	return b.String()
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wantNames fails if the server did not make just these, however often.
func wantNames(t *testing.T, s *fakeServer, when string, names ...string) {
	t.Helper()
	if got := s.names(); strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("%s: made %q, want %q", when, got, names)
	}
}

// A killed process leaves the job's file cut off anywhere behind the rows that it
// sent. Whatever the person edits then, nothing is made twice.
func TestBulk_KilledAnywhereAndThenEdited_MakesNothingTwiceUnasked(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", named("a", "b", "c"))
	job := file + jobSuffix
	if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	whole := read(t, job)
	planned := bytes.LastIndex(whole, []byte(`"state":"sent"}`)) + len(`"state":"sent"}`) + 1
	for n := planned; n <= len(whole); n += 7 {
		writeAgain(t, job, string(whole[:n]))
		writeAgain(t, file, named("a", "B", "c"))
		got := digate(t, "bulk", file, "--addr", s.addr)
		if got.Code != client.ExitNotSent || !strings.Contains(got.Err, "3     b    B") {
			t.Errorf("cut off at %d of %d: %+v", n, len(whole), got)
		}
		wantNames(t, s, "changed", "a", "b", "c")
		// The row as it was is no change.
		writeAgain(t, file, named("a", "b", "c"))
		if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitDone {
			t.Errorf("cut off at %d of %d: %+v", n, len(whole), got)
		}
		wantNames(t, s, "changed back", "a", "b", "c")
	}
}

func TestBulk_RowThatWasNeverSentIsChanged_IsSentUnasked(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", named("a", "b", "c"))
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict { return verdict{held: n == 2} }
	first := begin(t, nil, "bulk", file, "--addr", s.addr, "--concurrency", "1")
	awaitItems(t, s, 2)
	first.interrupt()
	first.err.Await(t, "nothing new is begun")
	s.stop()
	first.wait(t)
	wantNames(t, s, "first", "a")
	s.item = nil
	s.start(t, s.addr)
	writeAgain(t, file, named("a", "B", "C"))
	if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitDone {
		t.Errorf("%+v", got)
	}
	wantNames(t, s, "changed", "B", "C", "a")
}

func TestBulk_RowIsGone_StaysInTheResultsAndNothingIsAsked(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", named("a", "b", "c"))
	results := filepath.Join(filepath.Dir(file), "rows.results.csv")
	for _, content := range []string{named("a", "b", "c"), named("a", "c")} {
		writeAgain(t, file, content)
		if got := digate(t, "bulk", file, "--addr", s.addr, "--results", results); got.Code != client.ExitDone {
			t.Fatalf("%+v", got)
		}
	}
	lines := strings.Split(string(read(t, results)), "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[1], ",a,2,") || !strings.HasPrefix(lines[2], ",c,3,") || !strings.HasPrefix(lines[3], ",b,,made by an earlier run,of-") {
		t.Errorf("%q", lines)
	}
	wantNames(t, s, "gone", "a", "b", "c")
}

func TestBulk_RowsWithKeys_AreTheirKeysRows(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", named("a", "b"))
	bulk := func(code int, content string, args ...string) clitest.Ran {
		t.Helper()
		writeAgain(t, file, content)
		got := digate(t, append([]string{"bulk", file, "--addr", s.addr}, args...)...)
		if got.Code != code {
			t.Fatalf("%+v", got)
		}
		return got
	}
	bulk(client.ExitDone, named("a", "b"))
	// Rows that get keys are the rows that they were.
	bulk(client.ExitDone, keyed("1,a", "2,b"))
	wantNames(t, s, "keys added", "a", "b")
	// Another key is another row, though the row of a key is gone. No one is asked.
	bulk(client.ExitDone, keyed("3,c", "1,a"))
	wantNames(t, s, "another key", "a", "b", "c")
	// A key that moved and changed is the row of that key.
	if got := bulk(client.ExitNotSent, keyed("9,a", "3,C", "1,x")); !strings.Contains(got.Err, "1 a  1 x") || !strings.Contains(got.Err, "3 c  3 C") || strings.Contains(got.Err, "9 a") {
		t.Errorf("%s", got.Err)
	}
	bulk(client.ExitDone, keyed("9,a", "3,C", "1,x"), "--changed", "skip")
	wantNames(t, s, "skipped", "a", "a", "b", "c")
	if got := bulk(client.ExitUsage, keyed("1,a", "2,b", "1,z")); !strings.Contains(got.Err, "line 4: has the key of line 2") {
		t.Errorf("%s", got.Err)
	}
	wantNames(t, s, "twice", "a", "a", "b", "c")
}

// An earlier run sent a row, was killed before it knew what became of it, and then
// the secret of the row was rotated.
func TestBulk_SecretIsRotated_RowThatWasMadeIsFound(t *testing.T) {
	s := serve(t)
	t.Setenv("SHOP_KEY", "old")
	file := clitest.WriteFile(t, "rows.csv", "template_id,name,api_key_env\n"+clitest.TemplateID+",a,SHOP_KEY\n")
	if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	killed, _, _ := bytes.Cut(read(t, file+jobSuffix), []byte(`"state":"made"`))
	writeAgain(t, file+jobSuffix, string(killed))
	t.Setenv("SHOP_KEY", "new")
	got := digate(t, "bulk", file, "--addr", s.addr)
	if r := clitest.ResultsOf(t, got.Out)[2]; got.Code != client.ExitDone || r.Outcome != rowReplayed || r.IntegrationID != "of-"+r.RequestID || strings.Contains(got.Err, "--new-job") {
		t.Errorf("%+v", got)
	}
	wantNames(t, s, "rotated", "a")
}

func TestBulk_EveryRowIsMade_NoServerIsNeeded(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", named("a", "b"))
	if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	s.stop()
	got := digate(t, "bulk", file, "--addr", s.addr)
	if n := clitest.Outcomes(clitest.ResultsOf(t, got.Out)); got.Code != client.ExitDone || n[rowReplayed] != 2 || !strings.Contains(got.Err, "every row is made already") {
		t.Errorf("%+v", got)
	}
}

func TestBulk_StandardInputChanged_MakesNothingTwiceUnasked(t *testing.T) {
	s := serve(t)
	job := filepath.Join(t.TempDir(), "job")
	for content, code := range map[string]int{named("a", "b"): client.ExitDone} {
		if got := digateWith(t, content, "bulk", "-", "--format", "csv", "--addr", s.addr, "--job", job); got.Code != code {
			t.Fatalf("%+v", got)
		}
	}
	got := digateWith(t, named("a", "B"), "bulk", "-", "--format", "csv", "--addr", s.addr, "--job", job)
	if got.Code != client.ExitNotSent || !strings.Contains(got.Err, "3     b    B") {
		t.Errorf("%+v", got)
	}
	wantNames(t, s, "changed", "a", "b")
}

func TestBulk_NewJob_KeepsTheOldOneAndItsResults(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", named("a"))
	results := filepath.Join(filepath.Dir(file), "rows.results.csv")
	run := func(args ...string) {
		t.Helper()
		// Without --results, which the helper would add.
		if got := clitest.RunWith(t, runCommand, "", append([]string{"bulk", file, "--addr", s.addr}, args...)...); got.Code != client.ExitDone || got.Out != "" {
			t.Fatalf("%+v", got)
		}
	}
	run()
	job, result := read(t, file+jobSuffix), read(t, results)
	if got := clitest.RunWith(t, runCommand, "", "bulk", file, "--addr", s.addr, "--new-job"); got.Code != client.ExitNotSent || !strings.Contains(got.Err, "THERE ALREADY") {
		t.Fatalf("%+v", got)
	}
	// Nobody said yes, so the old job is still in its place.
	if !bytes.Equal(read(t, file+jobSuffix), job) || !bytes.Equal(read(t, results), result) {
		t.Error("the old job was touched")
	}
	run("--new-job", "--existing=copy")
	if got := read(t, file+jobSuffix+".old-1"); !bytes.Equal(got, job) {
		t.Errorf("the job is %s", got)
	}
	if got := read(t, results+".old-1"); !bytes.Equal(got, result) {
		t.Errorf("the results are %s", got)
	}
	wantNames(t, s, "new job", "a", "a")
}

// The file of an earlier version does not say which rows were made. Its ids do.
func TestBulk_JobOfAnEarlierVersion_IsGoneOnWith(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", named("a", "b"))
	if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	header, _, _ := bytes.Cut(read(t, file+jobSuffix), []byte("\n"))
	writeAgain(t, file+jobSuffix, strings.ReplaceAll(strings.Replace(string(header), `"version":1,`, "", 1), ",", ",\n  ")+"\n")
	got := digate(t, "bulk", file, "--addr", s.addr)
	if n := clitest.Outcomes(clitest.ResultsOf(t, got.Out)); got.Code != client.ExitDone || n[rowReplayed] != 2 || !strings.Contains(got.Err, "of an earlier version") {
		t.Errorf("%+v", got)
	}
	wantNames(t, s, "earlier version", "a", "b")
}

// What was skipped once is still the row that was made, however often it changes.
func TestBulk_SkippedRowChangesAgain_MakesNothingTwiceUnasked(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", "")
	bulk := func(code int, content string, args ...string) {
		t.Helper()
		writeAgain(t, file, content)
		if got := digate(t, append([]string{"bulk", file, "--addr", s.addr}, args...)...); got.Code != code {
			t.Fatalf("%+v", got)
		}
	}
	bulk(client.ExitDone, named("a", "b", "c"))
	bulk(client.ExitDone, named("a", "b2", "c"), "--changed=skip")
	bulk(client.ExitNotSent, named("a", "b3", "c"))
	// Another row that is gone is no earlier form of the skipped one.
	bulk(client.ExitDone, named("a", "b2"))
	bulk(client.ExitNotSent, named("a", "b2", "d"))
	bulk(client.ExitDone, named("a", "b2", "d"), "--changed=copy")
	wantNames(t, s, "copied", "a", "b", "c", "d")
	bulk(client.ExitDone, named("a", "b", "d", "e"))
	wantNames(t, s, "changed back", "a", "b", "c", "d", "e")
}

// Who skips rows can still change their mind.
func TestBulk_ChangedCopyAfterSkip_CopiesWhatWasSkipped(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", "")
	bulk := func(content string, args ...string) clitest.Ran {
		t.Helper()
		writeAgain(t, file, content)
		got := digate(t, append([]string{"bulk", file, "--addr", s.addr}, args...)...)
		if got.Code != client.ExitDone {
			t.Fatalf("%+v", got)
		}
		return got
	}
	bulk(named("a", "b", "c"))
	bulk(named("a", "B", "c"), "--changed=skip")
	bulk(named("a", "B", "c"), "--changed=skip")
	wantNames(t, s, "skipped", "a", "b", "c")
	got := bulk(named("a", "B", "c"), "--changed=copy")
	wantNames(t, s, "copied", "B", "a", "b", "c")
	if r := clitest.ResultsOf(t, got.Out)[3]; r.Outcome != rowDone || r.IntegrationID != "of-"+r.RequestID {
		t.Errorf("%+v", r)
	}
	for _, again := range []string{"copy", "skip"} { // it is a row of its own from now on
		got := bulk(named("a", "B", "c"), "--changed", again)
		if r := clitest.ResultsOf(t, got.Out)[3]; r.Outcome != rowReplayed || r.IntegrationID != "of-"+r.RequestID {
			t.Errorf("%+v", r)
		}
	}
	wantNames(t, s, "again", "B", "a", "b", "c")
}

func TestBulk_JobIsGoneAndItsResultsAreNot_NothingIsSent(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", named("a"))
	if got := clitest.RunWith(t, runCommand, "", "bulk", file, "--addr", s.addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	if err := os.Remove(file + jobSuffix); err != nil {
		t.Fatal(err)
	}
	got := clitest.RunWith(t, runCommand, "", "bulk", file, "--addr", s.addr)
	if got.Code != client.ExitFailed || !strings.Contains(got.Err, "the file of that job") {
		t.Errorf("%+v", got)
	}
	wantNames(t, s, "without its job", "a")
}

// A job outlives the ledger's memory: what is made is made, what may have been made
// is in doubt, and the rest goes on.
func TestBulk_LedgerForgetsWhatTheJobSent_OnlyThoseRowsAreInDoubt(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", named("made", "lost"))
	if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	var kept []string
	made := 0
	for line := range strings.Lines(string(read(t, file+jobSuffix))) {
		if strings.Contains(line, `"state":"made"`) {
			if made++; made == 2 {
				continue // the process was killed before it could write the line
			}
		}
		kept = append(kept, line)
	}
	long := time.Now().Add(-48 * time.Hour).UTC()
	job := strings.Join(kept, "")
	for _, field := range []string{"created", "deadline"} {
		job = regexp.MustCompile(`"`+field+`":"[^"]*"`).ReplaceAllString(job, `"`+field+`":"`+long.Format(time.RFC3339)+`"`)
		long = long.Add(24 * time.Hour)
	}
	writeAgain(t, file+jobSuffix, job)
	s.made = make(map[string]*integrationv1.CopyTemplateRequest) // forgotten
	writeAgain(t, file, named("made", "lost", "new"))
	for range 2 { // and so it stays
		got := digate(t, "bulk", file, "--addr", s.addr)
		results := clitest.Outcomes(clitest.ResultsOf(t, got.Out))
		if got.Code != client.ExitUnknown || results[rowUnknown] != 1 || results[rowDone]+results[rowReplayed] != 2 || !strings.Contains(got.Out, reasonRetentionPassed) || !strings.Contains(got.Err, "--settle") {
			t.Errorf("%v, %+v", results, got)
		}
	}
	wantNames(t, s, "forgotten", "lost", "made", "new")
}
