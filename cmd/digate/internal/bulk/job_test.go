package bulk

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	digatev1 "github.com/digate/digate/gen/digate/v1"
)

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
		"within the margin":               {day, ledgerOf("me", "sqlite", day), created.Add(day - time.Second), "begin anew with --new-job"},
		"past the retention":              {day, ledgerOf("me", "sqlite", day), created.Add(day), "could create copies a second time"},
		"a short retention, before":       {10 * time.Minute, ledgerOf("me", "sqlite", 10*time.Minute), created.Add(9*time.Minute - 1), ""},
		"a short retention, at its tenth": {10 * time.Minute, ledgerOf("me", "sqlite", 10*time.Minute), created.Add(9 * time.Minute), "after 10m0s"},
		"retention became shorter":        {day, ledgerOf("me", "sqlite", time.Hour), created.Add(54 * time.Minute), "after 1h0m0s"},
		"retention became shorter, early": {day, ledgerOf("me", "sqlite", time.Hour), created.Add(54*time.Minute - 1), ""},
		"retention became longer":         {time.Hour, ledgerOf("me", "sqlite", day), created.Add(54 * time.Minute), "after 1h0m0s"},
		"another caller":                  {day, ledgerOf("you", "sqlite", day), created, "another caller (me, now you)"},
		"another caller, too late":        {day, ledgerOf("you", "sqlite", day), created.Add(2 * day), "another caller (me, now you)"},
		"another ledger":                  {day, ledgerOf("you", "postgres", day), created, "another ledger or another key"},
		"a ledger in memory now":          {day, ledgerOf("you", "memory", day), created, "in memory and was restarted"},
	} {
		j := newJob("rows.csv", "addr", ledgerOf("me", "sqlite", row.kept), created)
		err := j.resumable(row.l, row.now)
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		}
	}
	j := newJob("rows.csv", "addr", ledgerOf("me", "memory", day), created)
	if err := j.resumable(ledgerOf("you", "sqlite", day), created); err == nil || !strings.Contains(err.Error(), "in memory and was restarted") || strings.Contains(err.Error(), "another caller") {
		t.Errorf("a ledger that was in memory: got %v", err)
	}
}

func TestJob_KeepsWhatResumingNeeds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 3600))
	j := newJob("/dir/rows.csv", "host:1", ledgerOf("me", "sqlite", time.Hour), now)
	path := filepath.Join(t.TempDir(), "job")
	if err := j.write(path); err != nil {
		t.Fatal(err)
	}
	got, err := readJob(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != j.ID || !got.Created.Equal(now.Truncate(time.Second)) || !got.Deadline.Equal(got.Created.Add(time.Hour)) ||
		got.Caller != "me" || got.Ledger != "sqlite" || got.Server != "host:1" || got.Input != "rows.csv" || !got.resumed || j.resumed {
		t.Errorf("got %+v, kept %+v", got, j)
	}
	if err := j.write(path); err == nil || !strings.Contains(err.Error(), "somebody else runs the same input") {
		t.Errorf("a second file: got %v", err)
	}
	if err := j.write(filepath.Join(path, "x")); err == nil || !strings.Contains(err.Error(), "the job cannot be kept") {
		t.Errorf("no place for the file: got %v", err)
	}
	if other := newJob("rows.csv", "host:1", ledgerOf("me", "sqlite", time.Hour), now); other.ID == j.ID {
		t.Error("two jobs have one id")
	}
}

func TestReadJob_CutShortAnywhereOrLackingAField_IsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "job")
	if got, err := readJob(path); got != nil || err != nil {
		t.Errorf("no file: got %v, %v", got, err)
	}
	j := newJob("rows.csv", "host:1", ledgerOf("me", "sqlite", time.Hour), time.Now())
	if err := j.write(path); err != nil {
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
		if got, err := readJob(path); err == nil || !strings.Contains(err.Error(), "was cut short") {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	for n := range len(whole) - 2 { // without its last brace
		refused(string(whole[:n]), whole[:n])
	}
	refused("followed by something else", append(whole, '{'))
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
	refused("larger than a job", append([]byte(`{"x":"`+strings.Repeat("x", maxJobFile)+`",`), whole[1:]...))
}
