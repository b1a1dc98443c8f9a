package bulk

import (
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// A new job beside a run of the old one would make the same rows.
func TestBulk_NewJobWhileTheOldOneRuns_IsRefused(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "shops.csv", named("a", "b"))
	s.item = func(int, *integrationv1.CopyTemplateRequest) verdict { return verdict{mute: true} }
	first := begin(t, strings.NewReader(""), "bulk", file, "--addr", s.addr)
	awaitItems(t, s, 2)
	for _, flag := range []string{"--existing=skip", "--existing=copy"} {
		got := digate(t, "bulk", file, "--addr", s.addr, "--new-job", flag)
		if got.Code != client.ExitFailed || !strings.Contains(got.Err, "another digate bulk runs this job just now") {
			t.Errorf("%+v", got)
		}
	}
	s.stop()
	first.interrupt()
	first.wait(t)
	if items, _ := s.seen(); items != 2 {
		t.Errorf("%d items", items)
	}
}

// killedJob is a file of which a run made the first row, sent the others and was
// killed before a response came.
func killedJob(t *testing.T, s *fakeServer, names ...string) (file string) {
	t.Helper()
	file = clitest.WriteFile(t, "shops.csv", named(names...))
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict {
		return verdict{cut: map[bool]error{true: errCutOff}[n > 1], after: true}
	}
	_ = digate(t, "bulk", file, "--addr", s.addr, "--concurrency", "1", "--reconnects", "0")
	s.item = nil
	if state := string(read(t, file+jobSuffix)); strings.Count(state, `"made"`) != 1 {
		t.Fatalf("%s", state)
	}
	return file
}

// The job knows what it made, whatever name that has at Diga now.
func TestBulk_NewJob_RowsThatTheOldOneMadeAreThereWhateverTheirName(t *testing.T) {
	s := serve(t)
	file := killedJob(t, s, "a", "b", "c")
	s.mu.Lock()
	for _, req := range s.order {
		req.Name = new("renamed " + req.GetName())
	}
	s.mu.Unlock()
	for _, more := range [][]string{nil, {"--dry-run"}} {
		got := digate(t, append([]string{"bulk", file, "--addr", s.addr, "--new-job"}, more...)...)
		if got.Code != client.ExitNotSent || !strings.Contains(got.Err+got.Out, "(2 rows)") || !strings.Contains(got.Err+got.Out, "THERE ALREADY") {
			t.Errorf("%+v", got)
		}
	}
	wantNames(t, s, "unasked", "renamed a", "renamed b")
	if got := digate(t, "bulk", file, "--addr", s.addr, "--new-job", "--existing=skip"); got.Code != client.ExitDone {
		t.Errorf("%+v", got)
	}
	wantNames(t, s, "skipped", "c", "renamed a", "renamed b")
}

// Where the ledger of the old job is gone, its last rows may still be under way.
func TestBulk_NewJobAndTheLedgerOfTheOldOneIsGone_WaitsForItsLastRows(t *testing.T) {
	s := serve(t)
	file := killedJob(t, s, "a", "b", "c")
	s.ledger.Caller = "caller-2"
	got := digate(t, "bulk", file, "--addr", s.addr)
	if got.Code != client.ExitFailed || !strings.Contains(got.Err, "begun by another caller") {
		t.Errorf("%+v", got)
	}
	got = digate(t, "bulk", file, "--addr", s.addr, "--new-job", "--existing=skip")
	if got.Code != client.ExitNotSent || !strings.Contains(got.Err, "1 row of the earlier job may still be under way") {
		t.Errorf("%+v", got)
	}
	then := time.Now().Add(-mayStillMake - time.Minute)
	if err := os.Chtimes(file+jobSuffix, then, then); err != nil {
		t.Fatal(err)
	}
	if got := digate(t, "bulk", file, "--addr", s.addr, "--new-job"); got.Code != client.ExitNotSent || !strings.Contains(got.Err, "(2 rows)") {
		t.Errorf("%+v", got)
	}
	if got := digate(t, "bulk", file, "--addr", s.addr, "--new-job", "--existing=skip"); got.Code != client.ExitDone {
		t.Errorf("%+v", got)
	}
	wantNames(t, s, "at the end", "a", "b", "c")
}

// The old job's rows in doubt are not made by a new one.
func TestBulk_NewJobAndRowsOfTheOldOneAreInDoubt_NothingIsSent(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "shops.csv", named("a", "b"))
	lost := (&apierror.Error{Code: codes.Unknown, Reason: "OUTCOME_UNKNOWN", Outcome: exchange.Unknown, Message: "lost"}).GRPCStatus().Err()
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict {
		return verdict{fail: map[bool]error{true: lost}[n == 2]}
	}
	if got := digate(t, "bulk", file, "--addr", s.addr, "--concurrency", "1"); got.Code != client.ExitUnknown {
		t.Fatalf("%+v", got)
	}
	items, _ := s.seen()
	for _, more := range [][]string{nil, {"--existing=skip"}, {"--dry-run"}} {
		got := digate(t, append([]string{"bulk", file, "--addr", s.addr, "--new-job"}, more...)...)
		if got.Code != client.ExitNotSent || !strings.Contains(got.Err, "may have made 1 row") {
			t.Errorf("%+v", got)
		}
	}
	if now, _ := s.seen(); now != items {
		t.Errorf("%d items, were %d", now, items)
	}
	if _, err := os.Stat(file + jobSuffix + ".old-1"); err == nil {
		t.Error("the job was set aside")
	}
}

// A ledger of the same name, put back from a copy, does not know what it made.
func TestBulk_LedgerLostItsRecords_NothingIsSent(t *testing.T) {
	s := serve(t)
	file := killedJob(t, s, "a", "b", "c")
	s.mu.Lock()
	clear(s.made)
	s.mu.Unlock()
	for _, more := range [][]string{nil, {"--keep-going"}, {"--changed=skip"}} {
		got := digate(t, append([]string{"bulk", file, "--addr", s.addr}, more...)...)
		if got.Code != client.ExitFailed || !strings.Contains(got.Err, "the ledger has lost what it knew of this job") {
			t.Errorf("%+v", got)
		}
	}
	wantNames(t, s, "lost", "a", "b")
	got := digate(t, "bulk", file, "--addr", s.addr, "--new-job")
	if got.Code != client.ExitNotSent || !strings.Contains(got.Err, "may still be under way") {
		t.Errorf("%+v", got)
	}
}

// What was deleted at Diga is not there, whatever a job made.
func TestBulk_NewJob_RowsWhoseIntegrationsWereDeletedAreMade(t *testing.T) {
	s := serve(t)
	file := folder(t, s, "a", "b")
	s.mu.Lock()
	s.order = s.order[:1]
	s.mu.Unlock()
	if got := digate(t, "bulk", file, "--addr", s.addr, "--new-job"); got.Code != client.ExitNotSent || !strings.Contains(got.Err, "(1 row)") {
		t.Errorf("%+v", got)
	}
	if got := digate(t, "bulk", file, "--addr", s.addr, "--new-job", "--existing=skip"); got.Code != client.ExitDone || !strings.Contains(got.Err, "1 made, 1 there already") {
		t.Errorf("%+v", got)
	}
}

// A token that may not read Diga's list does not make a job forget what it made.
func TestBulk_NewJobAndNoList_RowsOfTheOldOneAreThere(t *testing.T) {
	s := serve(t)
	file := folder(t, s, "a", "b")
	s.unlisted = status.Error(codes.PermissionDenied, "no")
	for range 2 {
		if got := digate(t, "bulk", file, "--addr", s.addr, "--new-job"); got.Code != client.ExitNotSent || !strings.Contains(got.Err, "(2 rows)") {
			t.Errorf("%+v", got)
		}
	}
	wantNames(t, s, "no list", "a", "b")
}
