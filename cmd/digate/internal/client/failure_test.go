package client

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

func TestFail_EveryOutcome_HasItsExitCodeAndMeaning(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		outcome exchange.Outcome
		code    codes.Code
		does    Effect
		exit    int
		meaning string
	}{
		"done, not shown":       {exchange.Done, codes.AlreadyExists, CreatesOnce, ExitFailed, "An earlier call did it"},
		"not sent":              {exchange.NotSent, codes.Unavailable, Creates, ExitNotSent, "so nothing was done"},
		"rejected":              {exchange.Rejected, codes.NotFound, Creates, ExitRejected, "did not do it"},
		"creates":               {exchange.Unknown, codes.Unknown, Creates, ExitUnknown, "could do it twice"},
		"creates once":          {exchange.Unknown, codes.Unknown, CreatesOnce, ExitUnknown, "is not done twice"},
		"creates once, settled": {exchange.Unknown, codes.Aborted, CreatesOnce, ExitUnknown, "until somebody settles"},
		"aborted, without id":   {exchange.Unknown, codes.Aborted, Creates, ExitUnknown, "could do it twice"},
		"changes":               {exchange.Unknown, codes.Unknown, Changes, ExitUnknown, "somebody may have changed it since"},
		"asks, no record":       {exchange.NotSent, codes.NotFound, Asks, ExitFailed, "The call may have been made with another token"},
		"asks, not connected":   {exchange.NotSent, codes.Unavailable, Asks, ExitFailed, "says nothing about the call"},
		"settles":               {exchange.Unknown, codes.DeadlineExceeded, Settles, ExitFailed, "may have been settled all the same"},
		"settles, refused":      {exchange.NotSent, codes.InvalidArgument, Settles, ExitFailed, "Nothing was settled"},
		"creates once, not yet": {exchange.NotSent, codes.Unavailable, CreatesOnce, ExitNotSent, "An earlier call with the same --request-id may have done it"},
		"reads":                 {exchange.Unknown, codes.Unavailable, Reads, ExitUnknown, "so a second call is safe"},
	} {
		want := row.outcome.String()
		if row.does.ofAnotherCall() {
			want = "NOT_APPLICABLE"
		}
		e := &apierror.Error{Code: row.code, Reason: "X", Outcome: row.outcome, Message: "why <\x1b[2J>"}
		if row.code == codes.NotFound && row.does == Asks {
			e.Reason = apierror.ReasonNoRecord
		}
		var text, asJSON strings.Builder
		if err := Fail(&text, "text", row.does, e); err != ExitError(row.exit) || !strings.Contains(text.String(), row.meaning) {
			t.Errorf("%s: %v\n%s", name, err, &text)
		}
		if err := Fail(&asJSON, OutputJSON, row.does, e); err != ExitError(row.exit) {
			t.Errorf("%s: %v", name, err)
		}
		var got struct {
			Error struct{ Outcome, Message string }
		}
		if err := json.Unmarshal([]byte(asJSON.String()), &got); err != nil || got.Error.Outcome != want || got.Error.Message != e.Message {
			t.Errorf("%s: %v in %s", name, err, &asJSON)
		}
		if !strings.Contains(asJSON.String(), "<") || strings.Contains(text.String()+asJSON.String(), "\x1b") {
			t.Errorf("%s: %q", name, asJSON.String())
		}
	}
}

func TestFail_NoAccountNamed_NamesTheFlag(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	_ = Fail(&text, "text", Reads, apierror.AccountRequired([]string{"acme", "globex"}))
	if !strings.Contains(text.String(), "acme, globex\n  name it with --account\n") {
		t.Errorf("%s", &text)
	}
}

func TestExitCode_OnlyAnExitErrorIsSilent(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int{nil: ExitDone, ExitError(ExitRejected): ExitRejected, errors.New("x"): ExitFailed} {
		var w strings.Builder
		if got := ExitCode(&w, err); got != want || (w.Len() > 0) != (want == ExitFailed) {
			t.Errorf("%v: got %d and %q", err, got, &w)
		}
	}
	if err := WrongUsage(io.Discard, errors.New("x")); err != ExitError(ExitUsage) {
		t.Errorf("wrong usage: got %v", err)
	}
}
