package bulk

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	digatev1 "github.com/digate/digate/gen/digate/v1"
)

// readJob reads a job's file and lets go of it.
func readJob(path string) (*job, error) {
	j, err := resumeJob(path)
	if j != nil {
		err = errors.Join(err, j.close())
	}
	return j, err
}

func ledgerOf(caller, store string, retention time.Duration) *digatev1.GetLedgerResponse {
	return &digatev1.GetLedgerResponse{Store: store, Durable: store != "memory", Retention: durationpb.New(retention), Caller: caller}
}

func TestJob_Resumable_OnlyWhileTheLedgerSurelyRemembers(t *testing.T) {
	t.Parallel()
	const day, margin = 24 * time.Hour, 10 * time.Minute
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, row := range map[string]struct {
		kept time.Duration // retention when the job began
		l    *digatev1.GetLedgerResponse
		now  time.Time
		want string // in the error; empty if the job can be resumed
	}{
		"at once":                         {day, ledgerOf("me", "sqlite", day), created, ""},
		"a second before it began":        {day, ledgerOf("me", "sqlite", day), created.Add(-time.Second), "is in the future: set the clock"},
		"just before the margin":          {day, ledgerOf("me", "sqlite", day), created.Add(day - margin - time.Nanosecond), ""},
		"at the margin":                   {day, ledgerOf("me", "sqlite", day), created.Add(day - margin), "forgets what was done after 24h0m0s"},
		"within the margin":               {day, ledgerOf("me", "sqlite", day), created.Add(day - time.Second), "could create copies a second time"},
		"past the retention":              {day, ledgerOf("me", "sqlite", day), created.Add(day), "could create copies a second time"},
		"a short retention, before":       {10 * time.Minute, ledgerOf("me", "sqlite", 10*time.Minute), created.Add(9*time.Minute - 1), ""},
		"a short retention, at its tenth": {10 * time.Minute, ledgerOf("me", "sqlite", 10*time.Minute), created.Add(9 * time.Minute), "after 10m0s"},
		"retention became shorter":        {day, ledgerOf("me", "sqlite", time.Hour), created.Add(54 * time.Minute), "after 1h0m0s"},
		"retention became shorter, early": {day, ledgerOf("me", "sqlite", time.Hour), created.Add(54*time.Minute - 1), ""},
		"retention became longer":         {time.Hour, ledgerOf("me", "sqlite", day), created.Add(54 * time.Minute), "after 1h0m0s"},
		"another caller":                  {day, ledgerOf("you", "sqlite", day), created, "by another caller, "},
		"another caller, too late":        {day, ledgerOf("you", "sqlite", day), created.Add(2 * day), "by another caller, "},
		"another ledger":                  {day, ledgerOf("you", "postgres", day), created, "another ledger or another key"},
		"a ledger in memory now":          {day, ledgerOf("you", "memory", day), created, "in memory and was restarted"},
	} {
		j := &job{promise: newPromise("addr", ledgerOf("me", "sqlite", row.kept), created)} // of an earlier version
		err := j.resumable(row.l, row.now)
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		}
		for line := range strings.SplitSeq("digate: "+strings.ReplaceAll(fmt.Sprint(err), "\n", "\n  "), "\n") {
			if len(line) > 79 {
				t.Errorf("%s: too long for a screen: %s", name, line)
			}
		}
	}
	j := &job{promise: newPromise("addr", ledgerOf("me", "memory", day), created)}
	if err := j.resumable(ledgerOf("you", "sqlite", day), created); err == nil || !strings.Contains(err.Error(), "in memory and was restarted") || strings.Contains(err.Error(), "another caller") {
		t.Errorf("a ledger that was in memory: got %v", err)
	}
}

// A job that knows its rows does not end with its promise: only the rows that were
// sent under the promise do.
func TestJob_Resumable_KnowsItsRows_OutlivesItsPromise(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	j := &job{Version: jobVersion, promise: newPromise("addr", ledgerOf("me", "sqlite", time.Hour), created)}
	if err := j.resumable(ledgerOf("me", "sqlite", time.Hour), created.Add(48*time.Hour)); err != nil {
		t.Error(err)
	}
	if err := j.resumable(ledgerOf("you", "sqlite", time.Hour), created); err == nil {
		t.Error("another caller resumes the job")
	}
}

func TestJob_KeepsWhatResumingNeeds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 3600))
	path := filepath.Join(t.TempDir(), "job")
	j := newJob("/dir/rows.csv", path)
	if err := j.begin(newPromise("host:1", ledgerOf("me", "sqlite", time.Hour), now)); err != nil {
		t.Fatal(err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	got, err := readJob(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != j.ID || !got.Created.Equal(now.Truncate(time.Second)) || !got.Deadline.Equal(got.Created.Add(time.Hour)) ||
		got.Caller != "me" || got.Ledger != "sqlite" || got.Server != "host:1" || got.Input != "rows.csv" || !got.knows() {
		t.Errorf("got %+v, kept %+v", got, j)
	}
	again := newJob("rows.csv", path)
	if err := again.begin(j.promise); err == nil || !strings.Contains(err.Error(), "somebody else runs the same input") {
		t.Errorf("a second file: got %v", err)
	}
	again.path = filepath.Join(path, "x")
	if err := again.begin(j.promise); err == nil || !strings.Contains(err.Error(), "the job cannot be kept") || !strings.Contains(err.Error(), "--job FILE") {
		t.Errorf("no place for the file: got %v", err)
	}
	if again.ID == j.ID {
		t.Error("two jobs have one id")
	}
}

// The file that an earlier version wrote: an object over several lines, and no rows.
const earlierJob = `{
  "job": "1a6642b4-283d-46b3-b391-32d6d3b2b3fd",
  "created": "2026-11-29T20:36:53Z",
  "deadline": "2026-11-30T20:36:53Z",
  "caller": "58295660d0df205bfc302bce7cbdcfd9",
  "ledger": "memory",
  "durable": false,
  "server": "127.0.0.1:9090",
  "input": "shops.csv"
}
`

func TestReadJob_OfAnEarlierVersion_IsGoneOnWith(t *testing.T) {
	t.Parallel()
	path := clitest.WriteFile(t, "job", earlierJob)
	j, err := resumeJob(path)
	if err != nil || j.knows() || j.ID.String() != "1a6642b4-283d-46b3-b391-32d6d3b2b3fd" || j.Caller != "58295660d0df205bfc302bce7cbdcfd9" || j.Deadline.Day() != 30 {
		t.Fatalf("%v, %+v", err, j)
	}
	id := uuid.New()
	j.entry(id).seen = true
	// Whatever such a job sends, an earlier run may have sent.
	if err := j.plan(newPromise("a", ledgerOf("me", "sqlite", time.Hour), time.Now()), j.toSend(nil), nil); err != nil {
		t.Fatal(err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	if j, err = readJob(path); err != nil || j.knows() || j.index[id] == nil || j.sentBefore(j.index[id]) == nil || !j.sentBefore(j.index[id]).Created.Equal(j.Created) {
		t.Errorf("%v, %+v", err, j)
	}
}

// age makes a file so old that no run begins with it just now.
func age(t *testing.T, path string) {
	t.Helper()
	long := time.Now().Add(-maxBegin)
	if err := os.Chtimes(path, long, long); err != nil {
		t.Fatal(err)
	}
}

func TestReadJob_NothingInIt_IsNoJob(t *testing.T) {
	t.Parallel()
	path := clitest.WriteFile(t, "job", "")
	// Another run may have made it just now, and writes into it.
	if got, err := readJob(path); got != nil || err == nil || !strings.Contains(err.Error(), "another run begins just now") {
		t.Errorf("empty for a moment: got %v, %v", got, err)
	}
	age(t, path)
	if got, err := readJob(path); got != nil || err != nil {
		t.Errorf("empty, as a full disk leaves it: got %v, %v", got, err)
	}
	if got, err := readJob(path); got != nil || err != nil {
		t.Errorf("no file: got %v, %v", got, err)
	}
}

func TestReadJob_BeginningCutShortOrLackingAField_IsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "job")
	j := newJob("rows.csv", path)
	if err := errors.Join(j.begin(newPromise("host:1", ledgerOf("me", "sqlite", time.Hour), time.Now())), j.close()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readJob(path); err == nil || !strings.Contains(err.Error(), "was cut short") || strings.Contains(err.Error(), "--new-job") {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	for n := range len(whole) - 2 { // without its last brace
		if n > 0 {
			refused(string(whole[:n]), whole[:n])
		}
	}
	for _, field := range []string{"job", "created", "deadline", "caller"} {
		var fields map[string]any
		if err := json.Unmarshal(whole, &fields); err != nil {
			t.Fatal(err)
		}
		delete(fields, field)
		b, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		refused("without "+field, b)
	}
	refused("larger than a job", append([]byte(`{"x":"`+strings.Repeat("x", maxJobHeader)+`",`), whole[1:]...))
}

// However the file ends, the rows that were sent are known: they are in the file
// before they are sent.
func TestReadJob_CutOffBehindTheBeginning_KnowsWhatEarlierLinesSay(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "job")
	j := newJob("rows.csv", path)
	p := newPromise("host:1", ledgerOf("me", "sqlite", time.Hour), time.Now())
	if err := j.begin(p); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	one, two := j.entry(uuid.New()), j.entry(uuid.New())
	one.line, two.line, two.name = 2, 3, "ñandú"
	if err := j.plan(p, []*entry{one, two}, nil); err != nil {
		t.Fatal(err)
	}
	planned, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	j.record(jobLine{Row: two.id, State: lineMade, Made: "id-2", Missing: "api key"})
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := len(first); n <= len(whole); n++ {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := resumeJob(path)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if n >= len(planned) && (j.index[one.id].state != rowOpen || j.index[two.id] == nil || n < len(whole) && j.index[two.id].state != rowOpen) {
			t.Errorf("%d bytes: %+v", n, j.entries)
		}
		// Another run adds lines, which the cut-off one does not spoil.
		three := j.entry(uuid.New())
		if err := errors.Join(j.plan(p, []*entry{three}, nil), j.close()); err != nil {
			t.Fatal(err)
		}
		if j, err = readJob(path); err != nil || j.index[three.id] == nil || j.index[three.id].state != rowOpen {
			t.Errorf("%d bytes, and a line more: %v", n, err)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if j, err = readJob(path); err != nil || j.index[two.id].made != "id-2" || j.index[two.id].name != "ñandú" || j.index[two.id].missing != "api key" {
		t.Errorf("%v, %+v", err, j)
	}
}

func TestJob_RunTwiceAtOnce_IsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "job")
	j := newJob("rows.csv", path)
	if err := j.begin(newPromise("a", ledgerOf("me", "sqlite", time.Hour), time.Now())); err != nil {
		t.Fatal(err)
	}
	if _, err := resumeJob(path); err == nil || !strings.Contains(err.Error(), "another digate bulk runs this job") {
		t.Errorf("got %v", err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := readJob(path); err != nil {
		t.Error(err)
	}
}

// A file may be there, whole, and its folder may not say that it is durable, as on
// some network drives. A crash could lose the job then, so nothing is sent.
func TestBulk_FolderCannotBeSynced_NothingIsSentAndTheJobCanBeElsewhere(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", csvOf(2))
	before := create
	t.Cleanup(func() { create = before })
	create = func(path string, b []byte) error {
		err := before(path, b)
		if filepath.Dir(path) == filepath.Dir(file) {
			err = errors.Join(err, &os.PathError{Op: "sync", Path: filepath.Dir(path), Err: syscall.EINVAL})
		}
		return err
	}
	for range 2 {
		got := digate(t, "bulk", file, "--addr", s.addr)
		if got.Code != client.ExitFailed || !strings.Contains(got.Err, "the job cannot be kept: sync ") || !strings.Contains(got.Err, "Nothing was sent. --job FILE keeps the job in another place") {
			t.Errorf("%+v", got)
		}
		if _, err := os.Stat(file + jobSuffix); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the job's file is there: %v", err)
		}
	}
	if items, _ := s.seen(); items != 0 {
		t.Errorf("%d items", items)
	}
	elsewhere := filepath.Join(t.TempDir(), "job")
	for _, outcome := range []string{rowDone, rowReplayed} {
		got := digate(t, "bulk", file, "--addr", s.addr, "--job", elsewhere)
		if n := clitest.Outcomes(clitest.ResultsOf(t, got.Out)); got.Code != client.ExitDone || n[outcome] != 2 {
			t.Errorf("%v, %+v", n, got)
		}
	}
}
