package copies_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/exchange/exchangetest"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/upstream"
)

func TestCopyTemplate_SameIDAgain_IsReadAndNotCopied(t *testing.T) {
	t.Parallel()
	up := new(fakeUpstream)
	s := newReplica(t, up, newLedger(t))
	copyAs(t.Context(), s, "r", "n").want(t, "id-0", "", exchange.None)
	for range 3 {
		r := copyAs(t.Context(), s, "r", "n")
		r.want(t, "id-0", "", exchange.None)
		// Diga's body is passed on, under the status of a copy.
		if string(r.ex.Body) != "read" || !r.ex.Relay || r.ex.Status != 0 || len(r.ex.Attempts) != 1 {
			t.Errorf("%+v", r.ex)
		}
	}
	if len(up.list()) != 1 || up.reads != 3 {
		t.Errorf("%d copies, %d reads", len(up.list()), up.reads)
	}
	copyAs(t.Context(), s, "other", "n").want(t, "id-1", "", exchange.None)
	copyAs(as(t.Context(), "somebody else"), s, "r", "n").want(t, "id-2", "", exchange.None)
}

func TestCopyTemplate_ReplayThatCannotBeRead_NamesWhatWasCreated(t *testing.T) {
	t.Parallel()
	up := new(fakeUpstream)
	s := newReplica(t, up, newLedger(t))
	copyAs(t.Context(), s, "r", "n")
	up.read = apierror.Unreachable(errLost)
	r := copyAs(t.Context(), s, "r", "n")
	r.want(t, "", apierror.ReasonAlreadyCreated, exchange.Done)
	if r.err.Code != codes.AlreadyExists || fmt.Sprint(r.err.IntegrationIDs) != "[id-0]" || r.ex.Relay {
		t.Errorf("%v %v %+v", r.err, r.err.IntegrationIDs, r.ex)
	}
}

func TestCopyTemplate_SameIDForAnotherRequest_IsRefusedAtEveryState(t *testing.T) {
	t.Parallel()
	up := new(fakeUpstream)
	arrived, release := make(chan struct{}), make(chan struct{})
	up.after = func(context.Context, int) error { close(arrived); <-release; return errLost }
	l := newLedger(t)
	s, replica := newReplica(t, up, l), newReplica(t, up, l)
	ended := make(chan result, 1)
	go func() { ended <- copyAs(t.Context(), s, "r", "n") }()
	<-arrived
	for _, at := range []*copies.Coordinator{s, replica} {
		inTime, cancel := context.WithTimeout(t.Context(), 5*time.Second) // a call that waits for the first one fails
		r := copyAs(inTime, at, "r", "another")
		cancel()
		r.want(t, "", apierror.ReasonInvalidRequest, exchange.NotSent)
		if r.err.Code != codes.InvalidArgument || len(r.err.Violations) != 1 || r.err.Violations[0].Field != "request_id" || r.err.Violations[0].Reason != "REQUEST_ID_REUSED" {
			t.Errorf("%v %v", r.err, r.err.Violations)
		}
	}
	close(release)
	<-ended // in doubt now
	copyAs(t.Context(), s, "r", "another").want(t, "", apierror.ReasonInvalidRequest, exchange.NotSent)
	if len(up.list()) != 1 {
		t.Errorf("%d copies", len(up.list()))
	}
}

func TestCopyTemplate_AnotherSecret_IsAnotherRequest(t *testing.T) {
	t.Parallel()
	s := newReplica(t, new(fakeUpstream), newLedger(t))
	for i, want := range []codes.Code{codes.OK, codes.InvalidArgument} {
		key := fmt.Sprint("key-", i)
		_, _, err := s.CopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: uuid, ApiKey: &key, RequestId: "r"}, copies.Before{})
		if err == nil && want != codes.OK || err != nil && apierror.FromError(err).Code != want {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestCopyTemplate_ManyAtOnceWithOneID_ShareOneCopy(t *testing.T) {
	t.Parallel()
	for name, replicas := range map[string]int{"one process": 1, "three replicas": 3} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				up := new(fakeUpstream)
				up.after = func(context.Context, int) error { time.Sleep(2 * time.Second); return nil }
				l := newLedger(t)
				var services []*copies.Coordinator
				for range replicas {
					services = append(services, newReplica(t, up, l))
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
				if len(up.list()) != 1 || up.reads != replicas-1 {
					t.Errorf("%d copies, %d reads", len(up.list()), up.reads)
				}
				if bodies["id-0"] != calls/replicas || bodies["read"] != calls-calls/replicas {
					t.Errorf("%v", bodies)
				}
			})
		})
	}
}

func TestCopyTemplate_NotSentOrRejected_FreesTheID(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]error{
		"not sent": apierror.Unreachable(errLost),
		"rejected": apierror.FromResponse(apierror.Response{Status: 404, Body: []byte(`{}`)}, true, nil),
	} {
		up := new(fakeUpstream)
		failing := fail
		up.before = func(context.Context, int) error { return failing }
		s := newReplica(t, up, newLedger(t))
		if r := copyAs(t.Context(), s, "r", "n"); r.err == nil {
			t.Errorf("%s: %v", name, r)
		}
		failing = nil
		copyAs(t.Context(), s, "r", "another").want(t, "id-0", "", exchange.None)
	}
}

func TestCopyTemplate_OutcomeUnknown_IsNeverSentAgainAndNamesWhatItMayHaveMade(t *testing.T) {
	t.Parallel()
	up := new(fakeUpstream)
	up.after = func(_ context.Context, n int) error {
		if n == 1 {
			return apierror.ResponseLost(errLost, true)
		}
		return nil
	}
	s := newReplica(t, up, newLedger(t))
	copyAs(t.Context(), s, "r", "n").want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
	copyAs(t.Context(), s, "other", "n").want(t, "id-1", "", exchange.None) // so the other record names it
	for range 3 {
		r := copyAs(t.Context(), s, "r", "n")
		r.want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
		if r.err.Code != codes.Aborted || fmt.Sprint(r.err.IntegrationIDs) != "[id-0]" {
			t.Errorf("%v %v", r.err, r.err.IntegrationIDs)
		}
	}
	if len(up.list()) != 2 {
		t.Errorf("%d copies", len(up.list()))
	}
}

func TestCopyTemplate_CallerLeavesAfterSending_ContinuesAndIsRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		up.after = respondIn(10 * time.Second)
		left := 0
		s := newReplica(t, up, newLedger(t), func(c *copies.Config) {
			c.Observer = exchangetest.Observer(func(op exchange.Operation, ex *exchange.Exchange, err error) {
				if left++; err != nil || len(ex.Attempts) != 1 {
					t.Errorf("%v %+v", err, ex)
				}
				if op.Kind != exchange.DetachedCall || op.Method != integrationv1.IntegrationService_CopyTemplate_FullMethodName ||
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
		if len(up.list()) != 1 || left != 1 || up.reads != 0 {
			t.Errorf("%d copies, %d left, %d reads", len(up.list()), left, up.reads)
		}
	})
}

func TestCopyTemplate_CallerLeavesBeforeSending_SendsNothingAndOthersGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		held := true
		up.before = func(ctx context.Context, _ int) error { // as in the queue
			if !held {
				return nil
			}
			<-ctx.Done()
			held = false
			return apierror.NotBegun(ctx.Err())
		}
		s := newReplica(t, up, newLedger(t), func(c *copies.Config) {
			c.Observer = exchangetest.Observer(func(op exchange.Operation, _ *exchange.Exchange, err error) {
				t.Errorf("a call of which nothing was sent goes on: %+v, %v", op, err)
			})
		})
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan result, 1), make(chan result, 1)
		go func() { first <- copyAs(ctx, s, "r", "n") }()
		synctest.Wait()
		go func() { second <- copyAs(t.Context(), s, "r", "n") }()
		synctest.Wait()
		cancel()
		(<-first).want(t, "", apierror.ReasonCancelledBeforeSend, exchange.NotSent)
		(<-second).want(t, "id-0", "", exchange.None)
		if len(up.list()) != 1 {
			t.Errorf("%d copies", len(up.list()))
		}
	})
}

func TestCopyTemplate_OwnerDied_IsSentAgainOnlyIfItWasNotSent(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]struct {
		reason string
		copies int
	}{
		"before sending": {"", 1},
		"after sending":  {apierror.ReasonOutcomeUnknown, 1},
	} {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				up := new(fakeUpstream)
				l := newLedger(t)
				dying := newReplica(t, up, died(l, at))
				copyAs(t.Context(), dying, "r", "n")
				other := newReplica(t, up, l)
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
				if len(up.list()) != want.copies {
					t.Errorf("%d copies", len(up.list()))
				}
				dying.Wait(t.Context())
			})
		})
	}
}

// retrying is an upstream that makes two attempts: the first is refused.
type retrying struct{ *fakeUpstream }

func (r retrying) Call(ctx context.Context, call upstream.Call) error {
	if _, err := call.BeforeSend(); err != nil {
		return err
	}
	return r.fakeUpstream.Call(ctx, call)
}

// The claim of a process that was suspended between two attempts may have run out.
// The copy may have been settled and made again since.
func TestCopyTemplate_ClaimLostBetweenAttempts_IsNotSentAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up, l := new(fakeUpstream), newLedger(t)
		copyAs(t.Context(), newReplica(t, retrying{up}, died(l, "after sending")), "r", "n").
			want(t, "", apierror.ReasonLedgerUnavailable, exchange.NotSent)
		if n := len(up.list()); n != 0 {
			t.Errorf("%d copies", n)
		}
		copyAs(t.Context(), newReplica(t, retrying{up}, l), "other", "n").want(t, "id-0", "", exchange.None)
		time.Sleep(time.Minute) // until the first replica gives up recording
	})
}

func TestCopyTemplate_SlowOwner_KeepsItsClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		up.before = func(context.Context, int) error { time.Sleep(10 * lease); return nil }
		l := newLedger(t)
		s, other := newReplica(t, up, l), newReplica(t, up, l)
		results := make(chan result)
		go func() { results <- copyAs(t.Context(), s, "r", "n") }()
		synctest.Wait()
		go func() { results <- copyAs(t.Context(), other, "r", "n") }()
		(<-results).want(t, "id-0", "", exchange.None)
		(<-results).want(t, "id-0", "", exchange.None)
		if len(up.list()) != 1 {
			t.Errorf("%d copies", len(up.list()))
		}
	})
}

func TestCopyTemplate_LedgerAway_FailsClosed(t *testing.T) {
	t.Parallel()
	up := new(fakeUpstream)
	s := newReplica(t, up, failing(newLedger(t), "Claim", fail))
	r := copyAs(t.Context(), s, "r", "n")
	r.want(t, "", apierror.ReasonLedgerUnavailable, exchange.NotSent)
	if r.err.Code != codes.Unavailable || r.err.RetryAfter == nil || len(up.list()) != 0 {
		t.Errorf("%v, %d copies", r.err, len(up.list()))
	}
}

func TestCopyTemplate_LedgerAwayAtTheEnd_CallerGetsTheIntegrationAndItIsRecordedLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		away := true
		s := newReplica(t, up, failing(newLedger(t), "MarkDone", func(context.Context) error {
			if away {
				away = false // the ledger is there again for the second attempt
				return errLost
			}
			return nil
		}))
		copyAs(t.Context(), s, "r", "n").want(t, "id-0", "", exchange.None)
		s.Wait(t.Context())
		copyAs(t.Context(), s, "r", "n").want(t, "id-0", "", exchange.None)
		if len(up.list()) != 1 || up.reads != 1 {
			t.Errorf("%d copies, %d reads", len(up.list()), up.reads)
		}
	})
}

// A server that stops cannot wait for a ledger that does not respond.
func TestClose_OutcomeNotRecorded_StopsTrying(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		s := newReplica(t, up, died(newLedger(t), "after sending"))
		copyAs(t.Context(), s, "r", "n").want(t, "id-0", "", exchange.None)
		began := time.Now()
		s.Close()
		s.Wait(t.Context())
		if took := time.Since(began); took > 0 {
			t.Errorf("waited %v", took)
		}
	})
}

func TestCopyTemplate_CallersDeadlineIsLaterThanTheTimeout_CallMayLastUntilIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		up.after = respondIn(45 * time.Second)
		s := newReplica(t, up, newLedger(t)) // whose own timeout is 30 s
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		copyAs(ctx, s, "r", "n").want(t, "id-0", "", exchange.None)
		copyAs(t.Context(), s, "other", "n").want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
	})
}

// The time of the first caller ends before its copy is sent. The others, who wait
// for the same copy, still have time.
func TestCopyTemplate_FirstCallersTimeIsOver_OthersGoOn(t *testing.T) {
	t.Parallel()
	t.Run("waiting to send", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			up := new(fakeUpstream)
			up.before = func(ctx context.Context, _ int) error {
				if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < 10*time.Second {
					// The call gives up a little earlier, to leave time for the response.
					time.Sleep(time.Until(deadline) - 100*time.Millisecond)
					return apierror.NotBegun(context.DeadlineExceeded)
				}
				return nil
			}
			firstOf(t, newReplica(t, up, newLedger(t)), apierror.ReasonDeadlineBeforeSend, exchange.NotSent)
		})
	})
	t.Run("reading what was made", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			up := new(fakeUpstream)
			s := newReplica(t, up, newLedger(t))
			copyAs(t.Context(), s, "r", "n").want(t, "id-0", "", exchange.None)
			up.before = func(ctx context.Context, _ int) error {
				if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < 10*time.Second {
					time.Sleep(time.Until(deadline) - 100*time.Millisecond)
					return apierror.ResponseLost(context.DeadlineExceeded, false)
				}
				return nil
			}
			firstOf(t, s, apierror.ReasonAlreadyCreated, exchange.Done)
		})
	})
}

// firstOf lets two callers ask for one copy. The first has too little time, and must
// get the reason and the outcome; the second must get the copy.
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

// Wherever the ledger hangs, the caller gets a verdict before its own deadline.
func TestCopyTemplate_LedgerHangs_RespondsBeforeTheCallersDeadline(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]struct {
		id, reason string
		outcome    exchange.Outcome
	}{
		"Claim":              {"", apierror.ReasonDeadlineBeforeSend, exchange.NotSent},
		"MarkSending":        {"", apierror.ReasonDeadlineBeforeSend, exchange.NotSent},
		"Release":            {"", apierror.ReasonOverloaded, exchange.NotSent},
		"MarkDone":           {"id-0", "", exchange.None},
		"another replica is": {"", apierror.ReasonOutcomeUnknown, exchange.Unknown},
	} {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				up, l := new(fakeUpstream), newLedger(t)
				if at == "Release" {
					up.before = func(context.Context, int) error { return apierror.Overloaded(0) }
				}
				if at == "another replica is" {
					up.after = func(context.Context, int) error { time.Sleep(10 * time.Second); return nil }
					go copyAs(t.Context(), newReplica(t, up, l), "r", "n")
					synctest.Wait()
				}
				s := newReplica(t, up, failing(l, at, hang))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				copyAs(ctx, s, "r", "n").want(t, want.id, want.reason, want.outcome)
				if took := time.Since(began); took > 990*time.Millisecond {
					t.Errorf("responded after %v of 1 s", took)
				}
				time.Sleep(time.Minute) // until recording is given up
			})
		})
	}
}

func TestCopyTemplate_ClaimRanOutAndAnotherMadeTheCopy_IsReplayed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up, l := new(fakeUpstream), newLedger(t)
		other := newReplica(t, up, l)
		var log bytes.Buffer
		overtaken := &overtaken{l, func() { copyAs(t.Context(), other, "r", "n").want(t, "id-0", "", exchange.None) }}
		s := newReplica(t, up, overtaken, func(c *copies.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		r := copyAs(t.Context(), s, "r", "n")
		r.want(t, "id-0", "", exchange.None)
		if n := len(up.list()); n != 1 {
			t.Errorf("%d copies", n)
		}
		if s.Wait(t.Context()); log.Len() > 0 { // it has nothing to record
			t.Errorf("the log has %s", log.String())
		}
	})
}

// The verdict on the attempt before stands: the call is not begun anew.
func TestCopyTemplate_ClaimRanOutBetweenAttempts_IsNotClaimedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		l := &counting{Ledger: newLedger(t), renewed: func(context.Context) error { return ledger.ErrLost }}
		began := time.Now()
		copyAs(t.Context(), newReplica(t, retrying{up}, l), "r", "n").want(t, "", apierror.ReasonLedgerUnavailable, exchange.NotSent)
		if n := l.claims.Load(); n != 1 || len(up.list()) != 0 || time.Since(began) > 0 {
			t.Errorf("%d claims, %d copies, after %v", n, len(up.list()), time.Since(began))
		}
	})
}

func TestCopyTemplate_ReplayReadsAnotherIntegration_NamesWhatWasCreated(t *testing.T) {
	t.Parallel()
	up, l := new(fakeUpstream), newLedger(t)
	copyAs(t.Context(), newReplica(t, up, l), "r", "n").want(t, "id-0", "", exchange.None)
	r := copyAs(t.Context(), newReplica(t, mixedUp{up}, l), "r", "n")
	r.want(t, "", apierror.ReasonAlreadyCreated, exchange.Done)
	if got := fmt.Sprint(r.err.IntegrationIDs); got != "[id-0]" {
		t.Error(got)
	}
}

// mixedUp is an upstream that reads another integration than it was asked for.
type mixedUp struct{ *fakeUpstream }

func (m mixedUp) Call(ctx context.Context, call upstream.Call) error {
	err := m.fakeUpstream.Call(ctx, call)
	if resp, ok := call.Response.(*integrationv1.GetIntegrationResponse); ok {
		resp.Integration.Id = "id-9"
	}
	return err
}

func TestCopyTemplate_UpstreamPanics_FailsThatCallAlone(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]exchange.Outcome{"before": exchange.NotSent, "after": exchange.Unknown} {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				up := new(fakeUpstream)
				if at == "before" {
					up.before = func(context.Context, int) error { panic("secret") }
				} else {
					up.after = func(context.Context, int) error { panic("secret") }
				}
				s := newReplica(t, up, newLedger(t))
				copyAs(t.Context(), s, "r", "n").want(t, "", apierror.ReasonInternalError, want)
				up.before, up.after = nil, nil
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

// A copy that another replica sends may succeed after the caller has left.
func TestCopyTemplate_TimeOverWhileAnotherReplicaSends_IsUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		up.after = func(context.Context, int) error { time.Sleep(20 * time.Second); return nil }
		l := newLedger(t)
		s, other := newReplica(t, up, l), newReplica(t, up, l)
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

// Those who wait for a copy that is refused before it is sent share the refusal,
// but those who want no check make the copy.
func TestCopyTemplate_RefusedByItsCheck_IsSharedByThoseWhoCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		s := newReplica(t, up, newLedger(t))
		checks := 0
		check := func(context.Context) error {
			checks++
			time.Sleep(time.Second)
			return apierror.InvalidRequest(apierror.Violation{Field: "variables.shop"})
		}
		ask := func(check func(context.Context) error) <-chan error {
			ended := make(chan error, 1)
			go func() {
				_, _, err := s.CopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: uuid, RequestId: "r"}, copies.Before{Check: check})
				ended <- err
			}()
			synctest.Wait()
			return ended
		}
		began := time.Now()
		first, second, unchecked := ask(check), ask(check), ask(nil)
		for _, ended := range []<-chan error{first, second} {
			if e := apierror.FromError(<-ended); e == nil || e.Code != codes.InvalidArgument {
				t.Errorf("%v", e)
			}
		}
		if err := <-unchecked; err != nil || checks != 1 || len(up.list()) != 1 || time.Since(began) != time.Second {
			t.Errorf("%v, %d checks, %d copies after %v", err, checks, len(up.list()), time.Since(began))
		}
	})
}

// The call that another waits for may be sent as soon as the other has left, so a copy
// with the id may be made although nothing was sent yet.
func TestCopyTemplate_TimeOverWhileAnotherChecks_IsUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		s := newReplica(t, up, newLedger(t))
		ended := make(chan error, 1)
		go func() {
			check := func(context.Context) error { time.Sleep(20 * time.Second); return nil }
			_, _, err := s.CopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: uuid, RequestId: "r", Name: new("n")}, copies.Before{Check: check})
			ended <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		copyAs(ctx, s, "r", "n").want(t, "", apierror.ReasonOutcomeUnknown, exchange.Unknown)
		if n := len(up.list()); n != 0 {
			t.Errorf("%d copies were sent before the check", n)
		}
		if err := <-ended; err != nil || len(up.list()) != 1 {
			t.Errorf("%v, %d copies", err, len(up.list()))
		}
	})
}
