package bulk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
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

// After a reconnect the ledger may be another one, which knows nothing of the
// job's copies: nothing may be sent again.
func TestBulk_AnotherCallerAfterAReconnect_EndsAndSendsNothingAgain(t *testing.T) {
	s := serve(t)
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict {
		if n == 2 { // runs with s.mu held
			s.ledger.Caller = "caller-2"
			return verdict{cut: cutOff}
		}
		return carryOut
	}
	got := digate(t, "bulk", clitest.WriteFile(t, "rows.csv", csvOf(5)), "--addr", s.addr, "--concurrency", "1")
	results := clitest.ResultsOf(t, got.Out)
	if n := clitest.Outcomes(results); got.Code != client.ExitUnknown || n[rowDone] != 1 || n[rowUnknown] != 1 || n[rowNotSent] != 3 {
		t.Errorf("%v, %+v", n, got)
	}
	if items, streams := s.seen(); items != 2 || streams != 1 {
		t.Errorf("%d items on %d streams", items, streams)
	}
	if !strings.Contains(got.Err, "another caller (caller-1, now caller-2)") || results[3].Reason != reasonNoResponse || results[4].Reason != reasonNotBegun {
		t.Errorf("%+v", got)
	}
}

// overloadedFor is a response that nothing was done, and may be in so long.
func overloadedFor(d time.Duration) *apierror.Error {
	e := apierror.Overloaded()
	e.RetryAfter = &d
	return e
}

// A response that nothing was done makes a row NOT_SENT even if an earlier attempt
// was in doubt and the row waits to be sent again.
func TestBulk_InterruptedWhileARowWaits_ReportsTheLatestResponse(t *testing.T) {
	minute := time.Minute
	overloaded := overloadedFor(minute)
	lost := &apierror.Error{Code: codes.Unavailable, Reason: "OUTCOME_UNKNOWN", Domain: overloaded.Domain, Outcome: exchange.Unknown, Message: "lost", RetryAfter: &minute}
	for name, row := range map[string]struct {
		e       *apierror.Error
		code    int
		outcome string
		reason  string
	}{
		"nothing was done": {overloaded, client.ExitNotSent, rowNotSent, overloaded.Reason},
		"in doubt":         {lost, client.ExitUnknown, rowUnknown, reasonNoResponse},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.item = func(int, *integrationv1.CopyTemplateRequest) verdict { return verdict{fail: row.e.GRPCStatus().Err()} }
			i := begin(t, nil, "bulk", clitest.WriteFile(t, "rows.csv", csvOf(1)), "--addr", s.addr)
			awaitStreamEnd(t, s)
			i.interrupt()
			got := i.wait(t)
			r := clitest.ResultsOf(t, got.Out)[2]
			if got.Code != row.code || r.Outcome != row.outcome || r.Reason != row.reason {
				t.Errorf("%+v", got)
			}
			if items, _ := s.seen(); items != 1 {
				t.Errorf("%d items", items)
			}
		})
	}
}

func TestBulk_EveryConnectionFails_GivesUpAfterSoMany(t *testing.T) {
	s := serve(t)
	s.item = func(int, *integrationv1.CopyTemplateRequest) verdict { return verdict{cut: cutOff} }
	got := digate(t, "bulk", clitest.WriteFile(t, "rows.csv", csvOf(3)), "--addr", s.addr, "--reconnects", "2", "--concurrency", "1")
	if _, streams := s.seen(); streams != 3 || !strings.Contains(got.Err, "gave up after 2 connections without a response") {
		t.Errorf("%d streams, %+v", streams, got)
	}
	if n := clitest.Outcomes(clitest.ResultsOf(t, got.Out)); got.Code != client.ExitUnknown || n[rowUnknown] != 1 || n[rowNotSent] != 2 {
		t.Errorf("%v, %+v", n, got)
	}
}

func TestBulk_ResponsesBetweenFailures_AreNoFailuresInARow(t *testing.T) {
	s := serve(t)
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict {
		if n%2 == 0 {
			return verdict{cut: cutOff}
		}
		return carryOut
	}
	got := digate(t, "bulk", clitest.WriteFile(t, "rows.csv", csvOf(5)), "--addr", s.addr, "--reconnects", "1", "--concurrency", "1")
	if n := clitest.Outcomes(clitest.ResultsOf(t, got.Out)); got.Code != client.ExitDone || n[rowDone] != 5 {
		t.Errorf("%v, %+v", n, got)
	}
}

// A failure that another attempt cannot mend ends the run.
func TestBulk_StreamIsRefused_EndsAtOnce(t *testing.T) {
	s := serve(t)
	s.item = func(int, *integrationv1.CopyTemplateRequest) verdict {
		return verdict{cut: status.Error(codes.PermissionDenied, "not you\x1b[2J")}
	}
	got := digate(t, "bulk", clitest.WriteFile(t, "rows.csv", csvOf(2)), "--addr", s.addr, "--concurrency", "1")
	if _, streams := s.seen(); streams != 1 || got.Code != client.ExitUnknown || !strings.Contains(got.Err, "digate: PermissionDenied: not you") {
		t.Errorf("%d streams, %+v", streams, got)
	}
	if r, bad := clitest.Harmful(got.Err); bad {
		t.Errorf("%U in %q", r, got.Err)
	}
}

func TestBulk_TimeoutPasses_EndsAndTheExitCodeIsThatOfTheRows(t *testing.T) {
	s := serve(t)
	s.item = func(int, *integrationv1.CopyTemplateRequest) verdict {
		return verdict{fail: overloadedFor(time.Minute).GRPCStatus().Err()}
	}
	got := digate(t, "bulk", clitest.WriteFile(t, "rows.csv", csvOf(2)), "--addr", s.addr, "--timeout", "300ms")
	if n := clitest.Outcomes(clitest.ResultsOf(t, got.Out)); got.Code != client.ExitNotSent || n[rowNotSent] != 2 || !strings.Contains(got.Err, "digate: --timeout has passed\n") {
		t.Errorf("%v, %+v", n, got)
	}
}

func TestBulk_ResultsCannotBeWritten_StopsAndExitsWith1(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	for _, format := range []string{"ndjson", "csv"} {
		s := serve(t)
		got := digate(t, "bulk", clitest.WriteFile(t, "rows.csv", csvOf(100)), "--addr", s.addr, "--concurrency", "1", "--results", "/dev/full", "--results-format", format)
		if got.Code != client.ExitFailed || strings.Count(got.Err, "digate: the results cannot be written") != 1 || !strings.Contains(got.Err, "no space left") {
			t.Errorf("%s: %+v", format, got)
		}
		if items, _ := s.seen(); items > 20 {
			t.Errorf("%s: %d copies after the results were lost", format, items)
		}
	}
}

func TestBulk_JobCannotBeKept_NothingIsSent(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", csvOf(1))
	got := digate(t, "bulk", file, "--addr", s.addr, "--job", filepath.Join(t.TempDir(), "no", "dir"))
	if items, _ := s.seen(); items != 0 || got.Code != client.ExitFailed || !strings.Contains(got.Err, "the job cannot be kept") {
		t.Errorf("%d items, %+v", items, got)
	}
	if err := os.WriteFile(file+jobSuffix, []byte(`{"job":`), 0o600); err != nil {
		t.Fatal(err)
	}
	got = digate(t, "bulk", file, "--addr", s.addr)
	if items, _ := s.seen(); items != 0 || got.Code != client.ExitFailed || !strings.Contains(got.Err, "was cut short") {
		t.Errorf("%d items, %+v", items, got)
	}
	s.ledger.Caller = "caller-2"
	j := newJob(file, s.addr, ledgerOf("caller-1", "sqlite", time.Hour), time.Now())
	if err := errors.Join(os.Remove(file+jobSuffix), j.write(file+jobSuffix)); err != nil {
		t.Fatal(err)
	}
	got = digate(t, "bulk", file, "--addr", s.addr)
	if items, _ := s.seen(); items != 0 || got.Code != client.ExitFailed || !strings.Contains(got.Err, "was begun by another caller") {
		t.Errorf("%d items, %+v", items, got)
	}
}

func TestBulk_LedgerInMemory_IsSaidWhenTheJobBegins(t *testing.T) {
	s := serve(t)
	s.ledger.Store, s.ledger.Durable = "memory", false
	file := clitest.WriteFile(t, "rows.csv", csvOf(1))
	const warning = "after a restart of the server, the job cannot be resumed"
	if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitDone || !strings.Contains(got.Err, warning) {
		t.Errorf("%+v", got)
	}
	s.ledger.Durable = true
	if got := digate(t, "bulk", file, "--addr", s.addr, "--new-job"); got.Code != client.ExitDone || strings.Contains(got.Err, warning) {
		t.Errorf("%+v", got)
	}
}

// mayBeForgotten is what keeps a row from being copied twice: it is held to the
// clock, on both sides of each limit.
func TestRunner_MayBeForgotten(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const last = 24*time.Hour - 10*time.Minute
	for name, row := range map[string]struct {
		resumed bool
		sent    time.Duration // after created; negative if it was not sent
		now     time.Duration
		want    bool
	}{
		"new job, never sent":                {false, -1, 48 * time.Hour, false},
		"new job, sent, before the margin":   {false, time.Hour, time.Hour + last - 1, false},
		"new job, sent, at the margin":       {false, time.Hour, time.Hour + last, true},
		"resumed job, before the margin":     {true, -1, last - 1, false},
		"resumed job, at the margin":         {true, -1, last, true},
		"resumed job, sent just now, margin": {true, last, last, true},
	} {
		j := newJob("rows.csv", "addr", ledgerOf("me", "sqlite", 24*time.Hour), created)
		j.resumed = row.resumed
		it := new(item)
		if row.sent >= 0 {
			it.sent = created.Add(row.sent)
		}
		if got := (&runner{job: j}).mayBeForgotten(it, created.Add(row.now)); got != row.want {
			t.Errorf("%s: got %v, want %v", name, got, row.want)
		}
	}
}

// A row that the ledger may have forgotten is in doubt and is not sent.
func TestBulk_RetentionPassesDuringARun_TheRowIsNotSentAgain(t *testing.T) {
	s := serve(t)
	in := &input{path: clitest.WriteFile(t, "rows.csv", csvOf(2)), format: "csv", varPrefix: "var."}
	var err error
	if in.contract, err = compileContract(); err != nil {
		t.Fatal(err)
	}
	var late atomic.Bool
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict {
		late.Store(true) // the first row was sent, and a day passes
		return verdict{cut: cutOff}
	}
	var results []rowResult
	var out clitest.Transcript
	r := &runner{
		flags: client.Flags{Addr: s.addr}, job: newJob("rows.csv", s.addr, s.ledger, time.Now()), contract: in.contract,
		pending: make(map[string]*item), window: 1, reconnects: 5, grace: time.Minute, stall: clitest.Patience,
		now: func() time.Time {
			if late.Load() {
				return time.Now().Add(24 * time.Hour)
			}
			return time.Now()
		},
		report: &report{progress: &progress{w: &out, silent: true, columns: func() int { return 0 }}, look: func(string) string { return "" },
			write: func(res rowResult) error { results = append(results, res); late.Store(false); s.item = nil; return nil }},
	}
	if why, err := r.all(t.Context(), 0, in, true); why != nil || err != nil {
		t.Fatal(why, err, out.String())
	}
	if len(results) != 2 || results[0].Outcome != rowUnknown || results[0].Reason != reasonRetentionPassed || results[1].Outcome != rowDone {
		t.Errorf("%+v", results)
	}
	if names := fmt.Sprint(s.names()); names != "[n-1]" || r.report.worst != client.ExitUnknown {
		t.Errorf("copied %s, exit code %d", names, r.report.worst)
	}
}

func TestBulk_ServerThatStopsResponding_IsLeftAndAskedAgain(t *testing.T) {
	s := serve(t)
	in := &input{path: clitest.WriteFile(t, "rows.csv", csvOf(1)), format: "csv", varPrefix: "var."}
	var err error
	if in.contract, err = compileContract(); err != nil {
		t.Fatal(err)
	}
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict { return verdict{held: n == 1} }
	var results []rowResult
	var out clitest.Transcript
	r := &runner{
		flags: client.Flags{Addr: s.addr}, job: newJob("rows.csv", s.addr, s.ledger, time.Now()), contract: in.contract,
		pending: make(map[string]*item), window: 1, reconnects: 5, grace: time.Minute, stall: 100 * time.Millisecond, now: time.Now,
		report: &report{progress: &progress{w: &out, silent: true, columns: func() int { return 0 }}, look: func(string) string { return "" },
			write: func(res rowResult) error { results = append(results, res); return nil }},
	}
	ctx, cancel := context.WithTimeout(t.Context(), clitest.Patience)
	defer cancel()
	if why, err := r.all(ctx, 0, in, true); why != nil || err != nil {
		t.Fatal(why, err, out.String())
	}
	if len(results) != 1 || results[0].Outcome != rowDone || !strings.Contains(out.String(), "the server does not respond; connecting again") {
		t.Errorf("%+v\n%s", results, out.String())
	}
}

// Pending rows may end after an interrupt; with the grace over they are in doubt.
func TestBulk_Interrupted_GivesPendingRowsTheGraceAndNoMore(t *testing.T) {
	s := serve(t)
	in := &input{path: clitest.WriteFile(t, "rows.csv", csvOf(3)), format: "csv", varPrefix: "var."}
	var err error
	if in.contract, err = compileContract(); err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict {
		if n == 1 {
			interrupt()
		}
		return verdict{held: true}
	}
	var results []rowResult
	var out clitest.Transcript
	r := &runner{
		flags: client.Flags{Addr: s.addr}, job: newJob("rows.csv", s.addr, s.ledger, time.Now()), contract: in.contract,
		pending: make(map[string]*item), window: 1, reconnects: 5, grace: 50 * time.Millisecond, stall: clitest.Patience, now: time.Now,
		report: &report{progress: &progress{w: &out, silent: true, columns: func() int { return 0 }}, look: func(string) string { return "" },
			write: func(res rowResult) error { results = append(results, res); return nil }},
	}
	if why, err := r.all(ctx, 0, in, true); why != errInterrupted || err != nil {
		t.Fatal(why, err, out.String())
	}
	if len(results) != 3 || results[0].Outcome != rowUnknown || results[1].Outcome != rowNotSent || results[2].Outcome != rowNotSent {
		t.Errorf("%+v\n%s", results, out.String())
	}
}

// A server that ends a stream in good order and owes a response has not
// responded.
func TestBulk_ServerOwesAResponseAtTheEnd_IsAskedAgainAndGivenUp(t *testing.T) {
	s := serve(t)
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict { return verdict{mute: n == 1} }
	file := clitest.WriteFile(t, "rows.csv", csvOf(1))
	got := digate(t, "bulk", file, "--addr", s.addr)
	if n := clitest.Outcomes(clitest.ResultsOf(t, got.Out)); got.Code != client.ExitDone || n[rowDone]+n[rowReplayed] != 1 {
		t.Errorf("%v, %+v", n, got)
	}
	s.item = func(int, *integrationv1.CopyTemplateRequest) verdict { return verdict{mute: true} }
	got = digate(t, "bulk", file, "--addr", s.addr, "--new-job", "--reconnects", "1")
	if n := clitest.Outcomes(clitest.ResultsOf(t, got.Out)); got.Code != client.ExitUnknown || n[rowUnknown] != 1 ||
		!strings.Contains(got.Err, "gave up after 1 connections without a response: the server does not respond") {
		t.Errorf("%v, %+v", n, got)
	}
}

func TestBulk_InputWithTerminalSequences_IsShownHarmless(t *testing.T) {
	s := serve(t)
	name, err := json.Marshal("A" + clitest.Hostile)
	if err != nil {
		t.Fatal(err)
	}
	file := clitest.WriteFile(t, "rows.ndjson", fmt.Sprintf(`{"template_id":%q,"api_key_env":%s}`, clitest.TemplateID, name))
	for _, args := range [][]string{{"--dry-run"}, {"--keep-going"}, {"--keep-going", "--new-job", "--results-format", "csv"}} {
		got := digate(t, append([]string{"bulk", file, "--addr", s.addr}, args...)...)
		if r, bad := clitest.Harmful(got.Out + got.Err); bad || !strings.Contains(got.Out+got.Err, "the environment has no A") {
			t.Errorf("%v: %U in %+v", args, r, got)
		}
	}
}
