package copies_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/upstream"
)

var errLost = errors.New("lost")

func TestCopyTemplate_SameIDAgain_IsReadAndNotCopied(t *testing.T) {
	v := new(fakeUpstream)
	s := newReplica(t, v, newLedger(t))
	copyAs(t.Context(), s, "r", "n").want(t, "id-0", "", exchange.None)
	for range 3 {
		r := copyAs(t.Context(), s, "r", "n")
		r.want(t, "id-0", "", exchange.None)
		// The vendor's body is passed on, under the status of a copy.
		if string(r.ex.Body) != "read" || !r.ex.Relay || r.ex.Status != 0 || len(r.ex.Attempts) != 1 {
			t.Errorf("%+v", r.ex)
		}
	}
	if len(v.list()) != 1 || v.reads != 3 {
		t.Errorf("%d copies, %d reads", len(v.list()), v.reads)
	}
	copyAs(t.Context(), s, "other", "n").want(t, "id-1", "", exchange.None)
	copyAs(as(t.Context(), "somebody else"), s, "r", "n").want(t, "id-2", "", exchange.None)
}

func TestCopyTemplate_ReplayThatCannotBeRead_SaysWhatWasCreated(t *testing.T) {
	v := new(fakeUpstream)
	s := newReplica(t, v, newLedger(t))
	copyAs(t.Context(), s, "r", "n")
	v.read = apierror.Unreachable(errLost)
	r := copyAs(t.Context(), s, "r", "n")
	r.want(t, "", apierror.ReasonAlreadyCopied, exchange.Done)
	if r.err.Code != codes.AlreadyExists || fmt.Sprint(r.err.IntegrationIDs) != "[id-0]" || r.ex.Relay {
		t.Errorf("%v %v %+v", r.err, r.err.IntegrationIDs, r.ex)
	}
}

func TestCopyTemplate_SameIDForAnotherRequest_IsRefusedAtEveryState(t *testing.T) {
	v := new(fakeUpstream)
	arrived, answer := make(chan struct{}), make(chan struct{})
	v.answer = func(context.Context, int) error { close(arrived); <-answer; return errLost }
	l := newLedger(t)
	s, replica := newReplica(t, v, l), newReplica(t, v, l)
	ended := make(chan result, 1)
	go func() { ended <- copyAs(t.Context(), s, "r", "n") }()
	<-arrived
	for _, at := range []*copies.Coordinator{s, replica} {
		inTime, cancel := context.WithTimeout(t.Context(), 5*time.Second) // so that a call that waits fails
		r := copyAs(inTime, at, "r", "another")
		cancel()
		r.want(t, "", apierror.ReasonInvalidRequest, exchange.NotSent)
		if r.err.Code != codes.InvalidArgument || len(r.err.Violations) != 1 || r.err.Violations[0].Field != "request_id" || r.err.Violations[0].Reason != "REQUEST_ID_REUSED" {
			t.Errorf("%v %v", r.err, r.err.Violations)
		}
	}
	close(answer)
	<-ended // in doubt now
	copyAs(t.Context(), s, "r", "another").want(t, "", apierror.ReasonInvalidRequest, exchange.NotSent)
	if len(v.list()) != 1 {
		t.Errorf("%d copies", len(v.list()))
	}
}

func TestCopyTemplate_SecretsDiffer_AreAnotherRequest(t *testing.T) {
	s := newReplica(t, new(fakeUpstream), newLedger(t))
	for i, want := range []codes.Code{codes.OK, codes.InvalidArgument} {
		key := fmt.Sprint("key-", i)
		_, _, err := s.CopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: uuid, ApiKey: &key, RequestId: "r"})
		if err == nil && want != codes.OK || err != nil && apierror.FromError(err).Code != want {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestCopyTemplate_ManyAtOnceWithOneID_ShareOneCopy(t *testing.T) {
	for name, replicas := range map[string]int{"one process": 1, "three replicas": 3} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := new(fakeUpstream)
				v.answer = func(context.Context, int) error { time.Sleep(2 * time.Second); return nil }
				l := newLedger(t)
				var services []*copies.Coordinator
				for range replicas {
					services = append(services, newReplica(t, v, l))
				}
				results := make(chan result)
				const calls = 60
				for i := range calls {
					go func() { results <- copyAs(t.Context(), services[i%replicas], "r", "n") }()
				}
				bodies := make(map[string]int)
				for range calls {
					r := <-results
					r.want(t, "id-0", "", exchange.None)
					bodies[string(r.ex.Body)]++
				}
				if len(v.list()) != 1 || v.reads != replicas-1 {
					t.Errorf("%d copies, %d reads", len(v.list()), v.reads)
				}
				if bodies["id-0"] != calls/replicas || bodies["read"] != calls-calls/replicas {
					t.Errorf("%v", bodies)
				}
			})
		})
	}
}

func TestCopyTemplate_NothingWasDone_FreesTheID(t *testing.T) {
	for name, fail := range map[string]error{
		"not sent": apierror.Unreachable(errLost),
		"rejected": apierror.FromResponse(apierror.Response{Status: 404, Body: []byte(`{}`)}, true, nil),
	} {
		v := new(fakeUpstream)
		failing := fail
		v.before = func(context.Context, int) error { return failing }
		s := newReplica(t, v, newLedger(t))
		if r := copyAs(t.Context(), s, "r", "n"); r.err == nil {
			t.Errorf("%s: %v", name, r)
		}
		failing = nil
		copyAs(t.Context(), s, "r", "another").want(t, "id-0", "", exchange.None)
	}
}

func TestCopyTemplate_OutcomeUnknown_IsNeverSentAgainAndNamesWhatItMayHaveMade(t *testing.T) {
	v := new(fakeUpstream)
	v.answer = func(_ context.Context, n int) error {
		if n == 1 {
			return apierror.ResponseLost(errLost, true)
		}
		return nil
	}
	s := newReplica(t, v, newLedger(t))
	copyAs(t.Context(), s, "r", "n").want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
	copyAs(t.Context(), s, "other", "n").want(t, "id-1", "", exchange.None) // named by its own record
	for range 3 {
		r := copyAs(t.Context(), s, "r", "n")
		r.want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
		if r.err.Code != codes.Aborted || fmt.Sprint(r.err.IntegrationIDs) != "[id-0]" {
			t.Errorf("%v %v", r.err, r.err.IntegrationIDs)
		}
	}
	if len(v.list()) != 2 {
		t.Errorf("%d copies", len(v.list()))
	}
}

func TestCopyTemplate_CallerLeavesAfterSending_GoesOnAndIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := new(fakeUpstream)
		v.answer = func(ctx context.Context, _ int) error {
			select {
			case <-time.After(10 * time.Second):
				return nil
			case <-ctx.Done():
				return apierror.ResponseLost(ctx.Err(), true)
			}
		}
		left := 0
		s := newReplica(t, v, newLedger(t), func(c *copies.Config) {
			c.Observer = observer(func(op exchange.Operation, ex *exchange.Exchange, err error) {
				if left++; err != nil || len(ex.Attempts) != 1 {
					t.Errorf("%v %+v", err, ex)
				}
				if op.Kind != exchange.DetachedCopy || op.Method != integrationv1.IntegrationService_CopyTemplate_FullMethodName ||
					time.Since(op.Began) != 10*time.Second {
					t.Errorf("%+v, which began %v ago", op, time.Since(op.Began))
				}
			})
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		r := copyAs(ctx, s, "r", "n")
		r.want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
		if took := time.Since(began); r.err.Code != codes.DeadlineExceeded || took >= time.Second {
			t.Errorf("%v after %v", r.err, took)
		}
		// The retry waits for the same copy.
		copyAs(t.Context(), s, "r", "n").want(t, "id-0", "", exchange.None)
		s.Wait(t.Context())
		if len(v.list()) != 1 || left != 1 || v.reads != 0 {
			t.Errorf("%d copies, %d left, %d reads", len(v.list()), left, v.reads)
		}
	})
}

func TestCopyTemplate_CallerLeavesBeforeSending_SendsNothingAndOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := new(fakeUpstream)
		held := true
		v.before = func(ctx context.Context, _ int) error { // in the queue, say
			if !held {
				return nil
			}
			<-ctx.Done()
			held = false
			return apierror.NotBegun(ctx.Err())
		}
		s := newReplica(t, v, newLedger(t))
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan result, 1), make(chan result, 1)
		go func() { first <- copyAs(ctx, s, "r", "n") }()
		synctest.Wait()
		go func() { second <- copyAs(t.Context(), s, "r", "n") }()
		synctest.Wait()
		cancel()
		(<-first).want(t, "", apierror.ReasonDeadlineBeforeSend, exchange.NotSent)
		(<-second).want(t, "id-0", "", exchange.None)
		if len(v.list()) != 1 {
			t.Errorf("%d copies", len(v.list()))
		}
	})
}

// dead is a ledger whose owner dies: from the given operation on nothing of it
// gets through.
type dead struct {
	copies.Ledger
	at string
}

func (d *dead) MarkSending(ctx context.Context, k ledger.Digest, t ledger.Token, l time.Duration) error {
	if d.at == "before sending" {
		return errLost
	}
	return d.Ledger.MarkSending(ctx, k, t, l)
}
func (d *dead) Renew(context.Context, ledger.Digest, ledger.Token, time.Duration) error {
	return errLost
}
func (d *dead) MarkDone(context.Context, ledger.Digest, ledger.Token, string) error { return errLost }
func (d *dead) MarkUnknown(context.Context, ledger.Digest, ledger.Token) error      { return errLost }
func (d *dead) Release(context.Context, ledger.Digest, ledger.Token) error          { return errLost }

func TestCopyTemplate_OwnerDied_IsSentAgainOnlyWhereItHadNotBegun(t *testing.T) {
	for at, want := range map[string]struct {
		reason string
		copies int
	}{
		"before sending": {"", 1},
		"after sending":  {apierror.ReasonOutcomeUnknown, 1},
	} {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := new(fakeUpstream)
				l := newLedger(t)
				dying := newReplica(t, v, &dead{l, at})
				copyAs(t.Context(), dying, "r", "n")
				other := newReplica(t, v, l)
				began := time.Now()
				r := copyAs(t.Context(), other, "r", "n")
				if took := time.Since(began); took < lease-time.Second || took > lease+time.Second {
					t.Errorf("waited %v, the lease is %v", took, lease)
				}
				id := ""
				if want.reason == "" {
					id = "id-0"
				}
				r.want(t, id, want.reason, exchange.Unknown)
				if len(v.list()) != want.copies {
					t.Errorf("%d copies", len(v.list()))
				}
				dying.Wait(t.Context())
			})
		})
	}
}

// retrying is an upstream whose first attempt is turned away.
type retrying struct{ *fakeUpstream }

func (r retrying) Call(ctx context.Context, call upstream.Call) error {
	if _, err := call.BeforeSend(); err != nil {
		return err
	}
	return r.fakeUpstream.Call(ctx, call)
}

// A process that stood still between two attempts may find that its claim ran
// out, and that somebody settled it and asked anew.
func TestCopyTemplate_ClaimLostBetweenAttempts_IsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := new(fakeUpstream), newLedger(t)
		copyAs(t.Context(), newReplica(t, retrying{v}, &dead{l, "after sending"}), "r", "n").
			want(t, "", apierror.ReasonLedgerUnavailable, exchange.NotSent)
		if n := len(v.list()); n != 0 {
			t.Errorf("%d copies", n)
		}
		copyAs(t.Context(), newReplica(t, retrying{v}, l), "other", "n").want(t, "id-0", "", exchange.None)
		time.Sleep(time.Minute) // what is still insisting on the outcome gives up
	})
}

func TestCopyTemplate_SlowOwner_KeepsItsClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := new(fakeUpstream)
		v.before = func(context.Context, int) error { time.Sleep(10 * lease); return nil }
		l := newLedger(t)
		s, other := newReplica(t, v, l), newReplica(t, v, l)
		results := make(chan result)
		go func() { results <- copyAs(t.Context(), s, "r", "n") }()
		synctest.Wait()
		go func() { results <- copyAs(t.Context(), other, "r", "n") }()
		(<-results).want(t, "id-0", "", exchange.None)
		(<-results).want(t, "id-0", "", exchange.None)
		if len(v.list()) != 1 {
			t.Errorf("%d copies", len(v.list()))
		}
	})
}

// away is a ledger that cannot be reached.
type away struct {
	copies.Ledger
	claims, finishes error
}

func (a *away) Claim(ctx context.Context, c ledger.Claim) (ledger.Record, bool, error) {
	if a.claims != nil {
		return ledger.Record{}, false, a.claims
	}
	return a.Ledger.Claim(ctx, c)
}

func (a *away) MarkDone(ctx context.Context, k ledger.Digest, t ledger.Token, id string) error {
	if err := a.finishes; err != nil {
		a.finishes = nil // it comes back
		return err
	}
	return a.Ledger.MarkDone(ctx, k, t, id)
}

func TestCopyTemplate_LedgerAway_FailsClosed(t *testing.T) {
	v := new(fakeUpstream)
	s := newReplica(t, v, &away{Ledger: newLedger(t), claims: errLost})
	r := copyAs(t.Context(), s, "r", "n")
	r.want(t, "", apierror.ReasonLedgerUnavailable, exchange.NotSent)
	if r.err.Code != codes.Unavailable || r.err.RetryAfter == nil || len(v.list()) != 0 {
		t.Errorf("%v, %d copies", r.err, len(v.list()))
	}
}

func TestCopyTemplate_LedgerAwayAtTheEnd_CallerHearsTheSuccessAndItIsRecordedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := new(fakeUpstream)
		s := newReplica(t, v, &away{Ledger: newLedger(t), finishes: errLost})
		copyAs(t.Context(), s, "r", "n").want(t, "id-0", "", exchange.None)
		s.Wait(t.Context())
		copyAs(t.Context(), s, "r", "n").want(t, "id-0", "", exchange.None)
		if len(v.list()) != 1 || v.reads != 1 {
			t.Errorf("%d copies, %d reads", len(v.list()), v.reads)
		}
	})
}

// Whoever is told to stop cannot wait for a ledger that does not answer.
func TestClose_StopsRetryingToRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := new(fakeUpstream)
		s := newReplica(t, v, &dead{newLedger(t), "after sending"})
		copyAs(t.Context(), s, "r", "n").want(t, "id-0", "", exchange.None)
		began := time.Now()
		s.Close()
		s.Wait(t.Context())
		if took := time.Since(began); took > 0 {
			t.Errorf("waited %v", took)
		}
	})
}

func TestCopyTemplate_CallerHasLongerThanTheServersOwnTimeout_GetsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := new(fakeUpstream)
		v.answer = func(ctx context.Context, _ int) error {
			select {
			case <-time.After(45 * time.Second):
				return nil
			case <-ctx.Done():
				return apierror.ResponseLost(ctx.Err(), true)
			}
		}
		s := newReplica(t, v, newLedger(t)) // 30 s of its own
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		copyAs(ctx, s, "r", "n").want(t, "id-0", "", exchange.None)
		copyAs(t.Context(), s, "other", "n").want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
	})
}

// The first caller's time is over while others wait for its copy, which was not
// sent: they have theirs.
func TestCopyTemplate_FirstCallersTimeIsOver_OthersGoOn(t *testing.T) {
	t.Run("waiting to send", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v := new(fakeUpstream)
			v.before = func(ctx context.Context, _ int) error {
				if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < 10*time.Second {
					// Given up with time left, which is kept back for the answer.
					time.Sleep(time.Until(deadline) - 100*time.Millisecond)
					return apierror.NotBegun(context.DeadlineExceeded)
				}
				return nil
			}
			firstOf(t, newReplica(t, v, newLedger(t)), apierror.ReasonDeadlineBeforeSend, exchange.NotSent)
		})
	})
	t.Run("reading what was made", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v := new(fakeUpstream)
			s := newReplica(t, v, newLedger(t))
			copyAs(t.Context(), s, "r", "n").want(t, "id-0", "", exchange.None)
			v.before = func(ctx context.Context, _ int) error {
				if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < 10*time.Second {
					time.Sleep(time.Until(deadline) - 100*time.Millisecond)
					return apierror.ResponseLost(context.DeadlineExceeded, false)
				}
				return nil
			}
			firstOf(t, s, apierror.ReasonAlreadyCopied, exchange.Done)
		})
	})
}

// firstOf has two callers ask for one copy, of whom the first has too little time.
func firstOf(t *testing.T, s *copies.Coordinator, reason string, outcome exchange.Outcome) {
	t.Helper()
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	first := make(chan result)
	go func() { first <- copyAs(short, s, "r", "n") }()
	synctest.Wait()
	second := make(chan result)
	go func() { second <- copyAs(t.Context(), s, "r", "n") }()
	(<-first).want(t, "", reason, outcome)
	(<-second).want(t, "id-0", "", exchange.None)
}

// hanging is a ledger that does not answer what is named.
type hanging struct {
	copies.Ledger
	at string
}

func (h *hanging) hang(ctx context.Context, at string) error {
	if h.at != at {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (h *hanging) Claim(ctx context.Context, c ledger.Claim) (ledger.Record, bool, error) {
	if err := h.hang(ctx, "claim"); err != nil {
		return ledger.Record{}, false, err
	}
	return h.Ledger.Claim(ctx, c)
}

func (h *hanging) MarkSending(ctx context.Context, k ledger.Digest, t ledger.Token, l time.Duration) error {
	if err := h.hang(ctx, "send"); err != nil {
		return err
	}
	return h.Ledger.MarkSending(ctx, k, t, l)
}

func (h *hanging) Release(ctx context.Context, k ledger.Digest, t ledger.Token) error {
	if err := h.hang(ctx, "release"); err != nil {
		return err
	}
	return h.Ledger.Release(ctx, k, t)
}

func (h *hanging) MarkDone(ctx context.Context, k ledger.Digest, t ledger.Token, id string) error {
	if err := h.hang(ctx, "finish"); err != nil {
		return err
	}
	return h.Ledger.MarkDone(ctx, k, t, id)
}

// Whatever the ledger does, a caller hears the verdict and not its own deadline.
func TestCopyTemplate_LedgerHangs_IsAnsweredBeforeTheCallersDeadline(t *testing.T) {
	for at, want := range map[string]struct {
		id, reason string
		outcome    exchange.Outcome
	}{
		"claim":              {"", apierror.ReasonDeadlineBeforeSend, exchange.NotSent},
		"send":               {"", apierror.ReasonDeadlineBeforeSend, exchange.NotSent},
		"release":            {"", apierror.ReasonOverloaded, exchange.NotSent},
		"finish":             {"id-0", "", exchange.None},
		"another replica is": {"", apierror.ReasonOutcomeUnknown, exchange.Unknown},
	} {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, l := new(fakeUpstream), newLedger(t)
				if at == "release" {
					v.before = func(context.Context, int) error { return apierror.Overloaded() }
				}
				if at == "another replica is" {
					v.answer = func(context.Context, int) error { time.Sleep(10 * time.Second); return nil }
					go copyAs(t.Context(), newReplica(t, v, l), "r", "n")
					synctest.Wait()
				}
				s := newReplica(t, v, &hanging{l, at})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				copyAs(ctx, s, "r", "n").want(t, want.id, want.reason, want.outcome)
				if took := time.Since(began); took > 990*time.Millisecond {
					t.Errorf("answered after %v of a second", took)
				}
				time.Sleep(time.Minute) // what is still insisting gives up
			})
		})
	}
}

// overtaken is a ledger in which another replica makes the copy between a claim
// and its sending.
type overtaken struct {
	copies.Ledger
	by func()
}

func (o *overtaken) MarkSending(ctx context.Context, k ledger.Digest, t ledger.Token, l time.Duration) error {
	if by := o.by; by != nil {
		o.by = nil
		if err := o.Ledger.Release(ctx, k, t); err != nil {
			return err
		}
		by()
	}
	return o.Ledger.MarkSending(ctx, k, t, l)
}

func TestCopyTemplate_ClaimRanOutAndAnotherMadeTheCopy_IsReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := new(fakeUpstream), newLedger(t)
		other := newReplica(t, v, l)
		s := newReplica(t, v, &overtaken{l, func() { copyAs(t.Context(), other, "r", "n").want(t, "id-0", "", exchange.None) }})
		r := copyAs(t.Context(), s, "r", "n")
		r.want(t, "id-0", "", exchange.None)
		if n := len(v.list()); n != 1 {
			t.Errorf("%d copies", n)
		}
	})
}

func TestCopyTemplate_ReplayReadsAnotherIntegration_SaysWhatWasCreated(t *testing.T) {
	v, l := new(fakeUpstream), newLedger(t)
	copyAs(t.Context(), newReplica(t, v, l), "r", "n").want(t, "id-0", "", exchange.None)
	r := copyAs(t.Context(), newReplica(t, mixedUp{v}, l), "r", "n")
	r.want(t, "", apierror.ReasonAlreadyCopied, exchange.Done)
	if got := fmt.Sprint(r.err.IntegrationIDs); got != "[id-0]" {
		t.Error(got)
	}
}

// mixedUp is an upstream that answers with another integration.
type mixedUp struct{ *fakeUpstream }

func (m mixedUp) Call(ctx context.Context, call upstream.Call) error {
	err := m.fakeUpstream.Call(ctx, call)
	if resp, ok := call.Response.(*integrationv1.GetIntegrationResponse); ok {
		resp.Integration.Id = "id-9"
	}
	return err
}

func TestCopyTemplate_PanicBelow_IsAFailureOfThatCallAlone(t *testing.T) {
	for at, want := range map[string]exchange.Outcome{"before": exchange.NotSent, "after": exchange.Unknown} {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := new(fakeUpstream)
				if at == "before" {
					v.before = func(context.Context, int) error { panic("secret") }
				} else {
					v.answer = func(context.Context, int) error { panic("secret") }
				}
				s := newReplica(t, v, newLedger(t))
				copyAs(t.Context(), s, "r", "n").want(t, "", apierror.ReasonInternalError, want)
				v.before, v.answer = nil, nil
				time.Sleep(2 * lease)
				r := copyAs(t.Context(), s, "r", "n")
				if want == exchange.NotSent {
					r.want(t, "id-0", "", exchange.None)
				} else {
					r.want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
				}
			})
		})
	}
}

// A copy on another replica outlasts the caller: it may be done.
func TestCopyTemplate_TimeOverWhileAnotherReplicaSends_IsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := new(fakeUpstream)
		v.answer = func(context.Context, int) error { time.Sleep(20 * time.Second); return nil }
		l := newLedger(t)
		s, other := newReplica(t, v, l), newReplica(t, v, l)
		ended := make(chan result, 1)
		go func() { ended <- copyAs(t.Context(), s, "r", "n") }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := copyAs(ctx, other, "r", "n")
		r.want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
		if r.err.Code != codes.DeadlineExceeded {
			t.Error(r.err)
		}
		(<-ended).want(t, "id-0", "", exchange.None)
	})
}
