package bulk

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// The job's file is cut off or an older one, and the ledger has forgotten what was
// made. The results still name it.
func TestBulk_JobIsOlderThanItsResults_MakesNothingTwice(t *testing.T) {
	for name, keep := range map[string]func(job []byte) []byte{
		"cut off behind its beginning": func(job []byte) []byte { return job[:bytes.IndexByte(job, '\n')+1] },
		"cut off within a row":         func(job []byte) []byte { before, _, _ := bytes.Cut(job, []byte(`"line":3`)); return before },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.unlisted = errCutOff // nor can Diga be asked
			file := clitest.WriteFile(t, "shops.csv", named("a", "b", "c"))
			bulk := func(code int, args ...string) clitest.Ran {
				t.Helper()
				got := clitest.RunWith(t, runCommand, "", append([]string{"bulk", file, "--addr", s.addr}, args...)...)
				if got.Code != code {
					t.Fatalf("%+v", got)
				}
				return got
			}
			bulk(client.ExitDone, "--existing=copy")
			writeAgain(t, file+jobSuffix, string(keep(read(t, file+jobSuffix))))
			s.made = make(map[string]*integrationv1.CopyTemplateRequest) // forgotten
			if got := bulk(client.ExitDone, "--dry-run"); !strings.Contains(got.Err, "were taken from") || !strings.Contains(got.Err, "3 made already, 0 new") {
				t.Errorf("%s", got.Err)
			}
			before := read(t, file+jobSuffix)
			writeAgain(t, file, named("a", "b", "C"))
			got := bulk(client.ExitNotSent)
			if !strings.Contains(got.Err, "the job's file is cut off or older than the results") || !strings.Contains(got.Err, "c    C") {
				t.Errorf("%s", got.Err)
			}
			if bytes.Equal(read(t, file+jobSuffix), before) {
				t.Error("the job did not get its rows back")
			}
			writeAgain(t, file, named("a", "b", "c"))
			if got := bulk(client.ExitDone); strings.Contains(got.Err, "older than the results") || !strings.Contains(got.Err, "every row is made already") {
				t.Errorf("%s", got.Err)
			}
			wantNames(t, s, "at the end", "a", "b", "c")
		})
	}
}

func TestBulk_ResultsOfAnotherJob_AreNotReplaced(t *testing.T) {
	s := serve(t)
	file := folder(t, s, "a")
	older := read(t, file+jobSuffix)
	if got := clitest.RunWith(t, runCommand, "", "bulk", file, "--addr", s.addr, "--new-job", "--existing=copy"); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	writeAgain(t, file+jobSuffix, string(older)) // put back by mistake
	results := read(t, resultsPath(file, "csv"))
	got := clitest.RunWith(t, runCommand, "", "bulk", file, "--addr", s.addr)
	if got.Code != client.ExitNotSent || !strings.Contains(got.Err, "names 1 row\n  that the job in "+file+jobSuffix+" does not know") {
		t.Errorf("%+v", got)
	}
	if !bytes.Equal(read(t, resultsPath(file, "csv")), results) {
		t.Error("the results were replaced")
	}
	// A file that was named may be that of several jobs.
	if got := digate(t, "bulk", file, "--addr", s.addr, "--results", resultsPath(file, "csv")); got.Code != client.ExitDone {
		t.Errorf("%+v", got)
	}
	wantNames(t, s, "at the end", "a", "a")
	// What is no longer as a run wrote it says nothing.
	if err := os.WriteFile(resultsPath(file, "csv"), append([]byte("x"), results...), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitDone {
		t.Errorf("%+v", got)
	}
}

// Who asks about rows that are made needs no server, and so no token.
func TestBulk_EveryRowIsMadeAndTheTokenIsAnother_SaysSo(t *testing.T) {
	s := serve(t)
	file := folder(t, s, "a")
	s.ledger.Caller = "caller-2"
	got := digate(t, "bulk", file, "--addr", s.addr)
	if n := clitest.Outcomes(clitest.ResultsOf(t, got.Out)); got.Code != client.ExitDone || n[rowReplayed] != 1 || !strings.Contains(got.Err, "every row is made already; nothing is sent") {
		t.Errorf("%+v", got)
	}
	writeAgain(t, file, named("a", "b"))
	if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitFailed || !strings.Contains(got.Err, "was begun by another caller") {
		t.Errorf("%+v", got)
	}
	wantNames(t, s, "with another token", "a")
}
