package bulk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
)

// failingFile fails at one step of those that make a file whole.
type failingFile struct {
	*os.File
	at string
}

var errDisk = errors.New("disk full")

func (f *failingFile) Write(b []byte) (int, error) {
	if f.at == "write" {
		return 0, errDisk
	}
	return f.File.Write(b)
}

func (f *failingFile) Sync() error {
	if f.at == "sync" {
		return errDisk
	}
	return f.File.Sync()
}

func (f *failingFile) Close() error {
	err := f.File.Close()
	if f.at == "close" {
		return errDisk
	}
	return err
}

// A file system may say at any step that it cannot keep what is written. Until the
// new results are whole, the old ones stay.
func TestResults_AnyStepFails_LeavesTheOldOnesAndNoOtherFile(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"write", "sync", "close", "rename", ""} {
		dir := t.TempDir()
		path := filepath.Join(dir, "r.ndjson")
		if err := os.WriteFile(path, []byte("old\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.CreateTemp(dir, "new-*")
		if err != nil {
			t.Fatal(err)
		}
		j := newJob("r", "")
		e := j.entry(uuid.New())
		e.seen, e.line, e.state, e.made = true, 2, rowMade, "id"
		target := path
		if at == "rename" {
			target = filepath.Join(dir, "no", "such", "directory")
		}
		c := &collected{path: target, format: "ndjson", f: &failingFile{f, at}, job: j, kept: make(map[int]rowResult)}
		err = c.end()
		b, readErr := os.ReadFile(path)
		files, dirErr := os.ReadDir(dir)
		if readErr != nil || dirErr != nil || len(files) != 1 {
			t.Errorf("%s: %v, %v, %v", at, readErr, dirErr, files)
		}
		if at == "" {
			if err != nil || !strings.Contains(string(b), `"outcome":"REPLAYED","integration_id":"id"`) {
				t.Errorf("%v, %s", err, b)
			}
			continue
		}
		if err == nil || string(b) != "old\n" || !strings.Contains(err.Error(), "Nothing is lost") {
			t.Errorf("%s: %v, %s", at, err, b)
		}
	}
}

func TestCSVResults_FormulasAreDefused(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := csvResults(&b, dialect{})(rowResult{Key: "=cmd", Name: "+1", Message: "@x", Missing: "-1", Outcome: rowDone}); err != nil {
		t.Fatal(err)
	}
	if _, line, _ := strings.Cut(b.String(), "\n"); line != "'=cmd,'+1,,made,,'-1,'@x,,\n" {
		t.Errorf("%q", line)
	}
}

func TestBulk_FileThatHoldsSomethingElse_IsNotOverwritten(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", named("a"))
	other := filepath.Join(filepath.Dir(file), "rows.results.csv")
	writeAgain(t, other, "my,own\n")
	got := clitest.RunWith(t, runCommand, "", "bulk", file, "--addr", s.addr)
	if items, _ := s.seen(); got.Code != client.ExitFailed || items != 0 || string(read(t, other)) != "my,own\n" || !strings.Contains(got.Err, "--results names another file") {
		t.Errorf("%d items, %+v", items, got)
	}
}

// The disk is full when the results are written, and all rows are made.
func TestBulk_ResultsCannotBeWrittenAtTheEnd_TheAdviceIsToWriteThem(t *testing.T) {
	t.Parallel()
	const write, goOn = "To write the results:\n", "To write the results of all rows, and to continue with rows that are not made:\n"
	for name, row := range map[string]struct {
		last rowResult
		want string
	}{
		"all are made": {rowResult{Outcome: rowDone}, write},
		"one is not":   {rowResult{Outcome: rowNotSent, Code: "CANCELLED"}, goOn},
	} {
		run := newMemoryRun(t, newFakeServer(), 1)
		run.report.result(rowResult{Outcome: rowDone})
		run.report.result(row.last)
		run.report.broke = errDisk
		err := new(Command).conclude(&run.out, run.report, "job", nil, nil)
		if !errors.Is(err, errDisk) || !strings.Contains(run.out.String(), row.want) {
			t.Errorf("%s: %v\n%s", name, err, run.out.String())
		}
	}
}

// A row with too few cells still says which row it is.
func TestResults_CellsAreMissing_TheNameIsThere(t *testing.T) {
	f := newShopFile(t)
	f.run(client.ExitNotSent, "name,template_id,var.x\nShort,x\n", "--keep-going")
	f.want("short", "Short|2|not made|2 cells, the header has 3")
}
