package copies_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/upstream"
)

// The ledger made the claim, and its response was lost. Unless the claim is
// released, the next call waits for the end of the lease.
func TestCopyTemplate_ClaimFailedAfterItWasMade_NextCallCopiesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up, l := new(fakeUpstream), &counting{Ledger: newLedger(t), claimed: fail}
		s := newReplica(t, up, l)
		copyAs(t.Context(), s, "r", "n").want(t, "", apierror.ReasonLedgerUnavailable, exchange.NotSent)
		s.Wait(t.Context())
		l.claimed = nil
		began := time.Now()
		copyAs(t.Context(), s, "r", "n").want(t, "id-0", "", exchange.None)
		if took := time.Since(began); took != 0 {
			t.Errorf("the next call waited %v", took)
		}
	})
}

// The ledger's record is that of another call, so this call made no claim.
func TestCopyTemplate_RefusedForAnotherRequest_ReleasesNothing(t *testing.T) {
	t.Parallel()
	l := &counting{Ledger: newLedger(t)}
	s := newReplica(t, new(fakeUpstream), l)
	copyAs(t.Context(), s, "r", "n").want(t, "id-0", "", exchange.None)
	copyAs(t.Context(), s, "r", "another").want(t, "", apierror.ReasonInvalidRequest, exchange.NotSent)
	s.Wait(t.Context())
	if n := l.releases.Load(); n != 0 {
		t.Errorf("%d releases", n)
	}
}

// A caller without a deadline waits no longer than one call to the ledger may take.
func TestCopyTemplate_LedgerHangs_EveryWaitHasItsBound(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]struct {
		set             func(*counting)
		upstream        error
		id, reason      string
		outcome         exchange.Outcome
		caller, process time.Duration // until the response, and until nothing is left
	}{
		"claim": {
			set: func(c *counting) { c.claimed = hang }, reason: apierror.ReasonLedgerUnavailable, outcome: exchange.NotSent,
			caller: 5 * time.Second, process: 5 * time.Second,
		},
		"claim and release": {
			set:    func(c *counting) { c.claimed, c.released = hang, hang },
			reason: apierror.ReasonLedgerUnavailable, outcome: exchange.NotSent,
			caller: 5 * time.Second, process: 10 * time.Second,
		},
		"mark sending": {
			set: func(c *counting) { c.sending = hang }, reason: apierror.ReasonLedgerUnavailable, outcome: exchange.NotSent,
			caller: 5 * time.Second, process: 5 * time.Second,
		},
		"mark done": {
			set: func(c *counting) { c.done = hang }, id: "id-0",
			caller: 5 * time.Second, process: 35 * time.Second,
		},
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := &counting{Ledger: newLedger(t)}
				want.set(l)
				s := newReplica(t, new(fakeUpstream), l)
				began := time.Now()
				copyAs(t.Context(), s, "r", "n").want(t, want.id, want.reason, want.outcome)
				if took := time.Since(began); took != want.caller {
					t.Errorf("the caller waited %v, want %v", took, want.caller)
				}
				s.Wait(t.Context())
				if took := time.Since(began); took < want.process || took > want.process+100*time.Millisecond {
					t.Errorf("the process tried for %v, want %v", took, want.process)
				}
			})
		})
	}
}

// Recording takes at most half of the time that the caller has left, so that the
// caller gets its integration.
func TestCopyTemplate_LedgerHangsAtTheEnd_TakesHalfOfTheCallersTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newReplica(t, new(fakeUpstream), &counting{Ledger: newLedger(t), done: hang})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		copyAs(ctx, s, "r", "n").want(t, "id-0", "", exchange.None)
		if took := time.Since(began); took < 900*time.Millisecond || took > time.Second {
			t.Errorf("responded after %v of 2 s", took)
		}
		s.Wait(t.Context())
	})
}

// While another replica has the claim, the ledger is asked rarely, and yet soon
// after the copy is done.
func TestCopyTemplate_AnotherReplicaSends_IsPolledWithinBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const sending = 20 * time.Second
		up := new(fakeUpstream)
		up.after = func(context.Context, int) error { time.Sleep(sending); return nil }
		shared := newLedger(t)
		first := newReplica(t, up, shared)
		done := make(chan result, 1)
		go func() { done <- copyAs(t.Context(), first, "r", "n") }()
		synctest.Wait()
		l := &counting{Ledger: shared}
		began := time.Now()
		copyAs(t.Context(), newReplica(t, up, l), "r", "n").want(t, "id-0", "", exchange.None)
		if took := time.Since(began); took > sending+500*time.Millisecond {
			t.Errorf("the caller waited %v for a copy that took %v", took, sending)
		}
		// 10 ms doubled up to 500 ms: six looks in the first 630 ms, then two a second.
		if n := l.claims.Load(); n < 44 || n > 48 {
			t.Errorf("the ledger was asked %d times", n)
		}
		(<-done).want(t, "id-0", "", exchange.None)
	})
}

func TestCopyTemplate_ClaimLostEachTime_IsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &counting{Ledger: newLedger(t), sending: func(context.Context) error { return ledger.ErrLost }}
		// The key is free for the next claim.
		inner := l.Ledger
		l.Ledger = releasing{inner}
		up := new(fakeUpstream)
		copyAs(t.Context(), newReplica(t, up, l), "r", "n").want(t, "", apierror.ReasonLedgerUnavailable, exchange.NotSent)
		if n := l.claims.Load(); n != 3 || len(up.list()) != 0 {
			t.Errorf("%d claims, %d copies", n, len(up.list()))
		}
	})
}

func TestCopyTemplate_LongCall_RenewsItsLeaseUntilItEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		renewed func(context.Context) error
		close   time.Duration // after which the coordinator is closed, 0 for never
		want    int64
	}{
		// At 5, 10, …, 55 s: the call ends just before the minute does.
		"ledger responds": {nil, 0, 11},
		"ledger is away":  {fail, 0, 11},
		// Each of the three claims is lost at its first renewal.
		"claim is lost": {func(context.Context) error { return ledger.ErrLost }, 0, 3},
		// At 5, 10 and 15 s, and once for each of the two claims that follow.
		"closed": {nil, 12 * time.Second, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				up := new(fakeUpstream)
				up.before = func(context.Context, int) error { time.Sleep(time.Minute - time.Millisecond); return nil }
				l := &counting{Ledger: newLedger(t), renewed: test.renewed}
				s := newReplica(t, up, l)
				if test.close > 0 {
					time.AfterFunc(test.close, s.Close)
				}
				copyAs(t.Context(), s, "r", "n")
				time.Sleep(time.Minute)
				if n := l.renewals.Load(); n != test.want {
					t.Errorf("%d renewals, want %d", n, test.want)
				}
				s.Wait(t.Context())
			})
		})
	}
}

// Recording is tried again until its time is over. Then the log has the record's
// name, and not the request id.
func TestCopyTemplate_OutcomeCannotBeRecorded_IsLoggedByTheRecordsName(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := &counting{Ledger: newLedger(t), done: fail}
		s := newReplica(t, new(fakeUpstream), l, func(c *copies.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		r := copyAs(t.Context(), s, "the-request-id", "n")
		r.want(t, "id-0", "", exchange.None)
		began := time.Now()
		s.Wait(t.Context())
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("recording was tried for %v", took)
		}
		if n := l.marks.Load(); n < 60 || n > 70 { // twice a second, more often at first
			t.Errorf("%d attempts to record", n)
		}
		if len(r.ex.LedgerRecord) != 64 || !strings.Contains(log.String(), "ledger_record="+r.ex.LedgerRecord) {
			t.Errorf("the record %q is not in %s", r.ex.LedgerRecord, log.String())
		}
		if strings.Contains(log.String(), "the-request-id") {
			t.Error("the request id was logged")
		}
	})
}

// Another replica settled the record meanwhile, or it was forgotten: nothing is left to try.
func TestCopyTemplate_RecordIsNoLongerItsOwn_IsLoggedAndNotTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := &counting{Ledger: newLedger(t), done: func(context.Context) error { return ledger.ErrLost }}
		s := newReplica(t, new(fakeUpstream), l, func(c *copies.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		copyAs(t.Context(), s, "r", "n").want(t, "id-0", "", exchange.None)
		s.Wait(t.Context())
		if n := l.marks.Load(); n != 1 {
			t.Errorf("%d attempts to record", n)
		}
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `level=WARN msg="the outcome of a call was not recorded`) {
			t.Errorf("the log has %q", got)
		}
	})
}

// Attempts are counted once, and end the line of the audit log with which one of the calls
// began, in the call that made them.
func TestCopyTemplate_CallThatOnlyWaited_MadeNoAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		up.before = func(ctx context.Context, _ int) error { exchange.FromContext(ctx).AuditNumber = 7; return nil }
		up.after = func(context.Context, int) error { time.Sleep(time.Second); return nil }
		s := newReplica(t, up, newLedger(t))
		first, second := make(chan result, 1), make(chan result, 1)
		go func() { first <- copyAs(t.Context(), s, "r", "n") }()
		synctest.Wait()
		go func() { second <- copyAs(t.Context(), s, "r", "n") }()
		sent, waited := (<-first).ex, (<-second).ex
		if len(sent.Attempts) != 1 || len(waited.Attempts) != 0 {
			t.Errorf("the call that sent made %d attempts, the one that waited %d", len(sent.Attempts), len(waited.Attempts))
		}
		if sent.AuditNumber != 7 || waited.AuditNumber != 0 {
			t.Errorf("the call that sent has the line %d of the audit log, the one that waited %d", sent.AuditNumber, waited.AuditNumber)
		}
	})
}

// No ledger can keep such an id, so recording it is not tried again.
func TestCopyTemplate_IDThatNoLedgerKeeps_IsInDoubtAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		s := newReplica(t, longID{up}, newLedger(t))
		began := time.Now()
		if r := copyAs(t.Context(), s, "r", "n"); r.err != nil || len(r.id) <= ledger.MaxIDLen {
			t.Errorf("the caller got %v", r)
		}
		s.Wait(t.Context())
		copyAs(t.Context(), s, "r", "n").want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
		if took := time.Since(began); took != 0 || len(up.list()) != 1 {
			t.Errorf("the calls took %v and made %d copies", took, len(up.list()))
		}
	})
}

// A ledger that keeps any id has recorded the call, without the id if it is too long.
func TestCopyTemplate_IDThatIsTooLongToBeKept_IsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		s := newReplica(t, longID{up}, ledger.KeepAnyID(newLedger(t)))
		if r := copyAs(t.Context(), s, "r", "n"); r.err != nil {
			t.Errorf("the caller got %v", r)
		}
		s.Wait(t.Context())
		copyAs(t.Context(), s, "r", "n").want(t, "", apierror.ReasonAlreadyCreated, exchange.Done)
		if len(up.list()) != 1 {
			t.Errorf("the calls made %d copies", len(up.list()))
		}
	})
}

// longID is an upstream whose ids are longer than a ledger keeps.
type longID struct{ *fakeUpstream }

func (l longID) Call(ctx context.Context, call upstream.Call) error {
	err := l.fakeUpstream.Call(ctx, call)
	if resp, ok := call.Response.(*integrationv1.CopyTemplateResponse); ok && err == nil {
		resp.Integration.Id = strings.Repeat("x", ledger.MaxIDLen+1)
	}
	return err
}

// The exchange of a call with a request id has the record's name, however the call
// ends.
func TestCopyTemplate_EveryEnd_NamesTheRecord(t *testing.T) {
	t.Parallel()
	up := new(fakeUpstream)
	s := newReplica(t, up, newLedger(t))
	first := copyAs(t.Context(), s, "r", "n")
	name := first.ex.LedgerRecord
	if len(name) != 64 {
		t.Fatalf("the name is %q", name)
	}
	replayed := copyAs(t.Context(), s, "r", "n")
	reused := copyAs(t.Context(), s, "r", "another")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late := copyAs(ended, s, "r", "n")
	for what, r := range map[string]result{"replayed": replayed, "reused": reused, "caller left": late} {
		if r.ex.LedgerRecord != name {
			t.Errorf("%s: %q, want %q", what, r.ex.LedgerRecord, name)
		}
	}
	if other := copyAs(t.Context(), s, "other", "n"); other.ex.LedgerRecord == name {
		t.Error("two records have one name")
	}
}
