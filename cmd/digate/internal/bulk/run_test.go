package bulk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
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
			return verdict{cut: errCutOff}
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
	if !strings.Contains(got.Err, "begun by another caller") || results[3].Reason != reasonNoResponse || results[4].Reason != reasonNotBegun || strings.Contains(got.Out, `\n`) || strings.Contains(got.Err, "caller-") {
		t.Errorf("%+v", got)
	}
}

// overloadedFor is a response that nothing was done, and may be in so long.
func overloadedFor(d time.Duration) *apierror.Error {
	e := apierror.Overloaded(0)
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
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer()
		s.item = func(int, *integrationv1.CopyTemplateRequest) verdict { return verdict{cut: errCutOff} }
		run := newMemoryRun(t, s, 3)
		run.reconnects = 2
		code, why := run.all(t.Context(), t, 0)
		if _, streams := s.seen(); streams != 3 || why == nil || !strings.Contains(why.Error(), "gave up after 2 connections without a response") {
			t.Errorf("%d streams, %v", streams, why)
		}
		if code != client.ExitUnknown || run.results["n-0"].Outcome != rowUnknown || run.results["n-1"].Outcome != rowNotSent || run.results["n-2"].Outcome != rowNotSent {
			t.Errorf("exit code %d, %+v", code, run.results)
		}
	})
}

func TestBulk_ResponsesBetweenFailures_AreNoFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer()
		s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict {
			if n%2 == 0 {
				return verdict{cut: errCutOff}
			}
			return carryOut
		}
		run := newMemoryRun(t, s, 5)
		run.reconnects = 1
		if code, why := run.all(t.Context(), t, 0); code != client.ExitDone || why != nil || len(s.names()) != 5 {
			t.Errorf("exit code %d, %v, %+v", code, why, run.results)
		}
	})
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
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer()
		s.item = func(int, *integrationv1.CopyTemplateRequest) verdict {
			return verdict{fail: overloadedFor(time.Minute).GRPCStatus().Err()}
		}
		run, begun := newMemoryRun(t, s, 2), time.Now()
		_, why := run.all(t.Context(), t, 10*time.Second)
		if took := time.Since(begun); took != 10*time.Second || why != errTimedOut {
			t.Errorf("ended after %v: %v", took, why)
		}
		if run.results["n-0"].Outcome != rowNotSent || run.results["n-1"].Outcome != rowNotSent {
			t.Errorf("%+v", run.results)
		}
		err := new(Command).conclude(&run.out, run.report, "job", why, nil)
		if err != client.ExitError(client.ExitNotSent) || !strings.Contains(run.out.String(), "digate: --timeout has passed\n") {
			t.Errorf("%v\n%s", err, run.out.String())
		}
	})
}

func TestBulk_ResultsCannotBeWritten_StopsAndExitsWith1(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	for _, format := range []string{"ndjson", "csv"} {
		s := serve(t)
		got := digate(t, "bulk", clitest.WriteFile(t, "rows.csv", csvOf(100)), "--addr", s.addr, "--concurrency", "1", "--results", "/dev/full", "--results-format", format)
		if got.Code != client.ExitFailed || strings.Count(got.Err, "digate: the results cannot be written") != 1 || !strings.Contains(got.Err, "no space left") ||
			!strings.Contains(got.Err, "To write the results of all rows, and to continue with rows that are not made:\n") {
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
	j := newJob(file, file+jobSuffix)
	if err := errors.Join(os.Remove(file+jobSuffix), j.begin(newPromise(s.addr, ledgerOf("caller-1", "sqlite", time.Hour), time.Now())), j.close()); err != nil {
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
	if got := digate(t, "bulk", file, "--addr", s.addr, "--new-job", "--existing", "copy"); got.Code != client.ExitDone || strings.Contains(got.Err, warning) {
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
		p := newPromise("addr", ledgerOf("me", "sqlite", 24*time.Hour), created)
		it := new(item)
		if row.resumed {
			it.earlier = &p
		}
		if row.sent >= 0 {
			it.sent = created.Add(row.sent)
		}
		if got := (&runner{promise: p}).mayBeForgotten(it, created.Add(row.now)); got != row.want {
			t.Errorf("%s: got %v, want %v", name, got, row.want)
		}
	}
}

// A row that the ledger may have forgotten is in doubt and is not sent.
func TestBulk_RetentionPassesDuringARun_TheRowIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer()
		s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict {
			if n == 1 {
				return verdict{cut: errCutOff, late: 24 * time.Hour}
			}
			return carryOut
		}
		run := newMemoryRun(t, s, 2)
		run.stall = 48 * time.Hour
		code, why := run.all(t.Context(), t, 0)
		if r := run.results["n-0"]; r.Outcome != rowUnknown || r.Reason != reasonRetentionPassed || run.results["n-1"].Outcome != rowDone {
			t.Errorf("%+v", run.results)
		}
		if names := fmt.Sprint(s.names()); names != "[n-1]" || code != client.ExitUnknown || why != nil {
			t.Errorf("copied %s, exit code %d, %v", names, code, why)
		}
	})
}

func TestBulk_ServerThatStopsResponding_IsLeftAndAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer()
		s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict { return verdict{held: n == 1} }
		run, begun := newMemoryRun(t, s, 1), time.Now()
		code, why := run.all(t.Context(), t, 0)
		if code != client.ExitDone || why != nil || !strings.Contains(run.out.String(), "the server does not respond; connecting again") {
			t.Errorf("exit code %d, %v, %+v\n%s", code, why, run.results, run.out.String())
		}
		if took := time.Since(begun); took < stallTimeout || took > stallTimeout+2*firstReconnect {
			t.Errorf("it took %v", took)
		}
	})
}

// Every response starts the time of silence anew: a stream may last longer.
func TestBulk_SlowServerThatResponds_IsNotLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer()
		s.item = func(int, *integrationv1.CopyTemplateRequest) verdict { return verdict{late: stallTimeout - 1} }
		run, begun := newMemoryRun(t, s, 3), time.Now()
		code, why := run.all(t.Context(), t, 0)
		if _, streams := s.seen(); code != client.ExitDone || why != nil || streams != 1 {
			t.Errorf("exit code %d, %v, %d streams", code, why, streams)
		}
		if took := time.Since(begun); took != 3*(stallTimeout-1) {
			t.Errorf("it took %v", took)
		}
	})
}

// Pending rows may end after an interrupt; with the grace over they are in doubt.
func TestBulk_Interrupted_GivesPendingRowsTheGraceAndNoMore(t *testing.T) {
	for late, want := range map[time.Duration]string{interruptGrace - 1: rowDone, interruptGrace + 1: rowUnknown} {
		synctest.Test(t, func(t *testing.T) {
			s := newFakeServer()
			ctx, interrupt := context.WithCancel(t.Context())
			s.item = func(int, *integrationv1.CopyTemplateRequest) verdict {
				interrupt()
				return verdict{late: late}
			}
			run, begun := newMemoryRun(t, s, 3), time.Now()
			_, why := run.all(ctx, t, 0)
			if took := time.Since(begun); why != errInterrupted || took != min(late, interruptGrace) {
				t.Errorf("ended after %v: %v", took, why)
			}
			if run.results["n-0"].Outcome != want || run.results["n-1"].Outcome != rowNotSent || run.results["n-2"].Outcome != rowNotSent {
				t.Errorf("%+v\n%s", run.results, run.out.String())
			}
		})
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
	got = digate(t, "bulk", file, "--addr", s.addr, "--new-job", "--existing", "copy", "--reconnects", "1")
	if n := clitest.Outcomes(clitest.ResultsOf(t, got.Out)); got.Code != client.ExitUnknown || n[rowUnknown] != 1 ||
		!strings.Contains(got.Err, "gave up after 1 connections without a response: the server does not respond") {
		t.Errorf("%v, %+v", n, got)
	}
}

// The advice is what helps the rows that are left. A second run cannot decide a
// doubt, for example, and does not mend a row.
func TestBulk_RowsAreLeft_TheAdviceIsWhatHelpsThem(t *testing.T) {
	t.Parallel()
	const goOn, settle, then = "To continue with the rows that are not made", "Another run does not send such a row again", "Then run again; what is made is not made twice"
	const change, fill, wait, rights = "To change in the file: 1 row. ", "To fill in: what 1 row lacks", "Wait some minutes", "Ask for the rights"
	doubt := rowResult{Outcome: rowUnknown, Code: "ABORTED"}
	for name, row := range map[string]struct {
		results []rowResult
		why     error
		want    []string
	}{
		"a doubt":                 {[]rowResult{doubt, {Outcome: rowDone}}, nil, []string{settle}},
		"a forgotten row":         {[]rowResult{{Outcome: rowUnknown, Code: "UNKNOWN", Reason: reasonRetentionPassed}}, nil, []string{settle}},
		"a doubt and a row":       {[]rowResult{doubt, {Outcome: rowNotSent, Code: "UNAVAILABLE"}}, nil, []string{settle, wait, then}},
		"a doubt and a refusal":   {[]rowResult{doubt, {Outcome: rowRejected, Code: "NOT_FOUND"}}, nil, []string{settle, change, then}},
		"a doubt, interrupted":    {[]rowResult{doubt}, errInterrupted, []string{settle, goOn}},
		"a copy may be under way": {[]rowResult{{Outcome: rowUnknown, Code: "DEADLINE_EXCEEDED"}}, nil, []string{goOn}},
		"no response":             {[]rowResult{{Outcome: rowUnknown, Code: "UNKNOWN", Reason: reasonNoResponse}}, nil, []string{goOn}},
		"not begun":               {[]rowResult{doubt, {Outcome: rowNotSent, Code: "CANCELLED", Reason: reasonNotBegun}}, errInterrupted, []string{settle, goOn}},
		"a 503 of Diga":           {[]rowResult{doubt, {Outcome: rowRejected, Code: "UNAVAILABLE"}}, nil, []string{settle, wait, then}},
		"a 429 of Diga":           {[]rowResult{doubt, {Outcome: rowRejected, Code: "RESOURCE_EXHAUSTED"}}, nil, []string{settle, wait, then}},
		"a row that is too large": {[]rowResult{doubt, {Outcome: rowNotSent, Code: "RESOURCE_EXHAUSTED", Reason: "REQUEST_TOO_LARGE"}}, nil, []string{settle, change, then}},
		"a malformed row":         {[]rowResult{doubt, {Outcome: rowNotSent, Code: "INVALID_ARGUMENT", Reason: reasonInvalidRow}}, nil, []string{settle, change, then}},
		"an unfinished row":       {[]rowResult{doubt, {Outcome: rowNotSent, Code: "FAILED_PRECONDITION", Reason: reasonUnfinished}}, nil, []string{settle, fill, then}},
		"no rights":               {[]rowResult{doubt, {Outcome: rowRejected, Code: "PERMISSION_DENIED"}}, nil, []string{settle, rights, then}},
	} {
		run := newMemoryRun(t, newFakeServer(), 1)
		for _, r := range row.results {
			run.report.result(r)
		}
		if err := new(Command).conclude(&run.out, run.report, "job", row.why, nil); err != client.ExitError(client.ExitUnknown) {
			t.Errorf("%s: %v", name, err)
		}
		got := run.out.String()
		for _, text := range []string{goOn, settle, then, change, fill, wait, rights} {
			if strings.Contains(got, text) != slices.Contains(row.want, text) {
				t.Errorf("%s: %s:\n%s", name, text, got)
			}
		}
	}
}

func TestReport_ManyFailures_ShowsTheFirstAndSaysSoOnce(t *testing.T) {
	t.Parallel()
	run := newMemoryRun(t, newFakeServer(), 1)
	for line := range maxShownRows + 3 {
		run.report.result(rowResult{Line: line + 2, Outcome: rowRejected, Code: "NOT_FOUND"})
	}
	got := run.out.String()
	if strings.Count(got, "refused by Diga") != maxShownRows || strings.Count(got, "More such rows are in the results alone.\n") != 1 {
		t.Error(got)
	}
}

// Rows that were never read have no result, and are not done.
func TestBulk_StandardInputInterrupted_IsNotDone(t *testing.T) {
	t.Parallel()
	run := newMemoryRun(t, newFakeServer(), 1)
	run.report.result(rowResult{Outcome: rowDone})
	if err := new(Command).conclude(&run.out, run.report, "job", errInterrupted, nil); err != client.ExitError(client.ExitNotSent) {
		t.Errorf("got %v", err)
	}
}

// Ctrl-C ends the program that writes the rows as well. Its rows that were read are made,
// and nobody knows whether there were more.
func TestBulk_PipeEndsAtAnInterrupt_IsNotDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer()
		s.item = func(int, *integrationv1.CopyTemplateRequest) verdict { return verdict{late: 2 * time.Second} }
		run := newMemoryRun(t, s, 0)
		run.window = 2 // the end of the rows is read while the row is pending
		run.in.path, run.in.std = "-", term.IO{In: strings.NewReader(csvOf(1))}
		ctx, interrupt := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, interrupt)
		if _, why := run.all(ctx, t, 0); why != errInterrupted {
			t.Errorf("ended by %v", why)
		}
		if run.results["n-0"].Outcome != rowDone {
			t.Errorf("%+v", run.results)
		}
	})
}

func TestBulk_RetryAfter_IsWaitedForUpToABound(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{20 * time.Second: 20 * time.Second, time.Hour: lastWait} {
		synctest.Test(t, func(t *testing.T) {
			s := newFakeServer()
			s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict {
				if n == 1 {
					return verdict{fail: overloadedFor(after).GRPCStatus().Err()}
				}
				return carryOut
			}
			run, begun := newMemoryRun(t, s, 1), time.Now()
			code, why := run.all(t.Context(), t, 0)
			if took := time.Since(begun); code != client.ExitDone || why != nil || took < want || took > want*5/4 {
				t.Errorf("Retry-After %v: exit code %d, %v after %v", after, code, why, took)
			}
		})
	}
}

func TestBulk_MoreRowsThanAStreamTakes_UsesAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer()
		run := newMemoryRun(t, s, maxPerStream+1)
		code, why := run.all(t.Context(), t, 0)
		if items, streams := s.seen(); code != client.ExitDone || why != nil || items != maxPerStream+1 || streams != 2 {
			t.Errorf("exit code %d, %v, %d items on %d streams", code, why, items, streams)
		}
	})
}

// A server that wants to end a connection gets no new rows on it.
func TestBulk_ServerLeaves_TheNextRowGoesToAnotherConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer()
		s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict {
			if n == 1 {
				s.leave()
				return verdict{late: time.Second}
			}
			return carryOut
		}
		run := newMemoryRun(t, s, 3)
		code, why := run.all(t.Context(), t, 0)
		if _, streams := s.seen(); code != client.ExitDone || why != nil || streams != 2 || run.failures != 0 {
			t.Errorf("exit code %d, %v, %d streams", code, why, streams)
		}
	})
}

func TestBulk_ResponseTwice_CountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer()
		s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict {
			if n == 1 {
				return verdict{fail: overloadedFor(time.Second).GRPCStatus().Err(), twice: true}
			}
			return carryOut
		}
		run := newMemoryRun(t, s, 2)
		code, why := run.all(t.Context(), t, 0)
		if items, _ := s.seen(); code != client.ExitDone || why != nil || items != 3 {
			t.Errorf("exit code %d, %v, %d items", code, why, items)
		}
	})
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

func TestBulk_NoRows_SaysSo(t *testing.T) {
	s := serve(t)
	for name, content := range map[string]string{"rows.csv": "template_id,name\n", "rows.ndjson": "\n"} {
		got := digate(t, "bulk", clitest.WriteFile(t, name, content), "--addr", s.addr)
		if got.Code != client.ExitDone || !strings.Contains(got.Err, "there are no rows; nothing is sent\n") || strings.Contains(got.Err, "already") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
