package bulk

import (
	"encoding/csv"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
)

// shopFile is a file that a person edits and runs again, and its results.
type shopFile struct {
	t    *testing.T
	s    *fakeServer
	path string
}

func newShopFile(t *testing.T) *shopFile {
	t.Helper()
	return &shopFile{t, serve(t), clitest.WriteFile(t, "rows.csv", "")}
}

// run runs the file with other content.
func (f *shopFile) run(code int, content string, args ...string) {
	f.t.Helper()
	writeAgain(f.t, f.path, content)
	got := clitest.RunWith(f.t, runCommand, "", append([]string{"bulk", f.path, "--addr", f.s.addr}, args...)...)
	if got.Code != code {
		f.t.Fatalf("%+v", got)
	}
}

// results returns each result as its name, its line, its words and its message, and
// fails if one integration is in two of them.
func (f *shopFile) results() []string {
	f.t.Helper()
	file := string(read(f.t, filepath.Join(filepath.Dir(f.path), "rows.results.csv")))
	records, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	if err != nil {
		f.t.Fatal(err)
	}
	var results []string
	made := make(map[string]bool)
	for _, r := range records[1:] {
		if id := r[4]; id != "" {
			if made[id] {
				f.t.Errorf("%s is there twice:\n%s", id, file)
			}
			made[id] = true
		}
		message, _, _ := strings.Cut(r[6], "; to see and settle it: ")
		results = append(results, strings.TrimRight(strings.Join([]string{r[1], r[2], r[3], message}, "|"), "|"))
	}
	return results
}

func (f *shopFile) want(when string, want ...string) {
	f.t.Helper()
	if got := f.results(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		f.t.Errorf("%s:\n%s\nwant:\n%s", when, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestResults_RowIsChanged_SayWhatBecameOfBothForms(t *testing.T) {
	f := newShopFile(t)
	f.run(client.ExitDone, named("a", "b"))
	f.run(client.ExitDone, named("a", "b2", "c"), "--changed=skip")
	const skipped = "b2|3|made by an earlier run|made before the row was changed"
	f.want("skipped", "a|2|made by an earlier run", skipped, "c|4|made")
	f.run(client.ExitDone, named("a", "b2", "c"))
	f.want("again", "a|2|made by an earlier run", skipped, "c|4|made by an earlier run")

	// The row as it was is another row, once both are in the file.
	f.run(client.ExitDone, named("a", "b2", "c", "b"))
	f.want("both", "a|2|made by an earlier run", "b2|3|made", "c|4|made by an earlier run", "b|5|made by an earlier run")

	f.run(client.ExitDone, named("a2", "b2", "c"), "--changed=copy")
	f.want("copied", "a2|2|made", "b2|3|made by an earlier run", "c|4|made by an earlier run",
		"a||made by an earlier run|the row was changed and then made again; this is what it made before",
		"b||made by an earlier run|the row is not in the file any more")
	wantNames(t, f.s, "at last", "a", "a2", "b", "b2", "c")
}

func TestResults_RowInDoubtIsChangedOrGone_StaysInThem(t *testing.T) {
	f := newShopFile(t)
	lost := apierror.ResponseLost(nil, true).GRPCStatus().Err()
	f.s.item = func(_ int, req *integrationv1.CopyTemplateRequest) verdict {
		if name := req.GetName(); name == "b" || name == "c" {
			return verdict{fail: lost}
		}
		return carryOut
	}
	f.run(client.ExitUnknown, named("a", "b", "c"))
	f.run(client.ExitUnknown, named("a", "b2", "d"), "--changed=skip")
	f.want("skipped", "a|2|made by an earlier run", "b2|3|in doubt|may be made already, as it was before the row was changed",
		"d|4|in doubt|may be made already, as it was before the row was changed")
	f.run(client.ExitDone, named("a"))
	f.want("gone", "a|2|made by an earlier run", "b||in doubt|the row is not in the file any more", "c||in doubt|the row is not in the file any more")
}

// A doubt that turns out to be nothing leaves nothing to skip.
func TestJob_SkippedRowsEarlierFormMadeNothing_RowIsCopied(t *testing.T) {
	t.Parallel()
	j := newJob("rows.csv", "")
	was, is := j.entry(uuid.New()), j.entry(uuid.New())
	was.state, is.seen = rowDoubt, true
	j.take(jobLine{Row: is.id, As: was.id})
	if got := j.toSend(nil); len(got) != 0 || j.fate(is).Outcome != rowUnknown || j.fate(is).RequestID != was.id.String() {
		t.Errorf("in doubt: %v, %+v", got, j.fate(is))
	}
	j.take(jobLine{Row: was.id, State: lineNone})
	if got := j.toSend(nil); len(got) != 1 || got[0] != is {
		t.Errorf("not made: %v", got)
	}
}
