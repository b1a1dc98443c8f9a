package copies_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
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

// counting counts the calls to a ledger, and fails or hangs where it is told to.
type counting struct {
	copies.Ledger
	claims, renewals, marks, releases atomic.Int64
	// claimed, sending, done and released replace a method's error, if set, after
	// the method has run.
	claimed, sending, done, released, renewed func(ctx context.Context) error
}

func after(ctx context.Context, err error, f func(ctx context.Context) error) error {
	if f == nil {
		return err
	}
	return f(ctx)
}

func hang(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func fail(context.Context) error { return errLost }

func (c *counting) Claim(ctx context.Context, claim ledger.Claim) (ledger.Record, bool, error) {
	c.claims.Add(1)
	r, mine, err := c.Ledger.Claim(ctx, claim)
	if err = after(ctx, err, c.claimed); err != nil {
		return ledger.Record{}, false, err
	}
	return r, mine, nil
}

func (c *counting) Renew(ctx context.Context, k ledger.Digest, t ledger.Token, l time.Duration) error {
	c.renewals.Add(1)
	return after(ctx, c.Ledger.Renew(ctx, k, t, l), c.renewed)
}

func (c *counting) MarkSending(ctx context.Context, k ledger.Digest, t ledger.Token, l time.Duration) error {
	return after(ctx, c.Ledger.MarkSending(ctx, k, t, l), c.sending)
}

func (c *counting) MarkDone(ctx context.Context, k ledger.Digest, t ledger.Token, id string) error {
	c.marks.Add(1)
	if c.done != nil {
		return c.done(ctx)
	}
	return c.Ledger.MarkDone(ctx, k, t, id)
}

func (c *counting) Release(ctx context.Context, k ledger.Digest, t ledger.Token) error {
	c.releases.Add(1)
	if c.released != nil {
		return c.released(ctx)
	}
	return c.Ledger.Release(ctx, k, t)
}

// The ledger made the claim and its response was lost. Without a release the
// next call would wait for the lease.
func TestCopyTemplate_ClaimFailedAfterItWasMade_NextCallCopiesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, l := new(fakeUpstream), &counting{Ledger: newLedger(t), claimed: fail}
		s := newReplica(t, v, l)
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

// A refusal that quotes a record says that this call made no claim.
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

// A caller without a deadline waits for the ledger as long as one call to it may
// take, and no longer.
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
					t.Errorf("the process was at it for %v, want %v", took, want.process)
				}
			})
		})
	}
}

// Recording gets half of the time that the caller has left, so that the caller
// hears of its success.
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

// While another replica has the claim, the ledger is asked seldom, and soon
// enough after the copy is done.
func TestCopyTemplate_AnotherReplicaSends_IsPolledWithinBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const sending = 20 * time.Second
		v := new(fakeUpstream)
		v.answer = func(context.Context, int) error { time.Sleep(sending); return nil }
		shared := newLedger(t)
		first := newReplica(t, v, shared)
		done := make(chan result, 1)
		go func() { done <- copyAs(t.Context(), first, "r", "n") }()
		synctest.Wait()
		l := &counting{Ledger: shared}
		began := time.Now()
		copyAs(t.Context(), newReplica(t, v, l), "r", "n").want(t, "id-0", "", exchange.None)
		if took := time.Since(began); took > sending+500*time.Millisecond {
			t.Errorf("it took %v to notice, of %v", took, sending)
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
		// What is lost is free for the next claim.
		inner := l.Ledger
		l.Ledger = releasing{inner}
		v := new(fakeUpstream)
		copyAs(t.Context(), newReplica(t, v, l), "r", "n").want(t, "", apierror.ReasonLedgerUnavailable, exchange.NotSent)
		if n := l.claims.Load(); n != 3 || len(v.list()) != 0 {
			t.Errorf("%d claims, %d copies", n, len(v.list()))
		}
	})
}

// releasing is a ledger that frees a key instead of marking it as being sent.
type releasing struct{ copies.Ledger }

func (r releasing) MarkSending(ctx context.Context, k ledger.Digest, t ledger.Token, _ time.Duration) error {
	return r.Release(ctx, k, t)
}

func TestCopyTemplate_LongCall_RenewsItsLeaseUntilItEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		renewed func(context.Context) error
		close   time.Duration // after which the coordinator is closed, 0 for never
		want    int64
	}{
		// Every 5 s of a minute, whose last moment is the call's end.
		"ledger responds": {nil, 0, 11},
		"ledger is away":  {fail, 0, 11},
		// The claim runs out then, and is made anew twice: each is renewed once.
		"claim is lost": {func(context.Context) error { return ledger.ErrLost }, 0, 3},
		// At 5, 10 and 15 s, and once for each of the two claims that follow.
		"closed": {nil, 12 * time.Second, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := new(fakeUpstream)
				v.before = func(context.Context, int) error { time.Sleep(time.Minute - time.Millisecond); return nil }
				l := &counting{Ledger: newLedger(t), renewed: test.renewed}
				s := newReplica(t, v, l)
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

// The outcome is tried to be recorded until the time for that is over. The log
// then names the record, and not the request id.
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
			t.Errorf("it was tried for %v", took)
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

// Attempts are counted where they were made, once.
func TestCopyTemplate_CallThatOnlyWaited_MadeNoAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := new(fakeUpstream)
		v.answer = func(context.Context, int) error { time.Sleep(time.Second); return nil }
		s := newReplica(t, v, newLedger(t))
		first, second := make(chan result, 1), make(chan result, 1)
		go func() { first <- copyAs(t.Context(), s, "r", "n") }()
		synctest.Wait()
		go func() { second <- copyAs(t.Context(), s, "r", "n") }()
		if made, waited := len((<-first).ex.Attempts), len((<-second).ex.Attempts); made != 1 || waited != 0 {
			t.Errorf("the call that sent made %d attempts, the one that waited %d", made, waited)
		}
	})
}

// No ledger can keep such an id, so trying again would be in vain.
func TestCopyTemplate_IDThatNoLedgerKeeps_IsInDoubtAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := new(fakeUpstream)
		s := newReplica(t, longID{v}, newLedger(t))
		began := time.Now()
		if r := copyAs(t.Context(), s, "r", "n"); r.err != nil || len(r.id) <= ledger.MaxIDLen {
			t.Errorf("the caller got %v", r)
		}
		s.Wait(t.Context())
		copyAs(t.Context(), s, "r", "n").want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
		if took := time.Since(began); took != 0 || len(v.list()) != 1 {
			t.Errorf("it took %v, and made %d copies", took, len(v.list()))
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

// Whoever has a request id finds the record's name in the exchange, however the
// call ended.
func TestCopyTemplate_EveryEnd_NamesTheRecord(t *testing.T) {
	t.Parallel()
	v := new(fakeUpstream)
	s := newReplica(t, v, newLedger(t))
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
