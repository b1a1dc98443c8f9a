package copies_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/exchange/exchangetest"
)

// carryAs is copyAs with RunCopyTemplate, for a caller who leaves when ctx ends. The
// error that Left was called with, if it was, comes out of the channel.
func carryAs(ctx context.Context, s *copies.Coordinator, requestID, name string) (_ *integrationv1.Integration, left <-chan error, _ error) {
	verdicts := make(chan error, 2)
	ctx, _ = exchange.NewContext(ctx)
	by := &copies.Runner{OnDetached: func(err error) { verdicts <- err }}
	defer context.AfterFunc(ctx, func() { by.Detach(ctx.Err()) })()
	in, _, err := s.RunCopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: uuid, Name: &name, RequestId: requestID}, copies.Before{}, by)
	return in, verdicts, err
}

func TestRunCopyTemplate_Copy_TakesNoOtherGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		before, within := runtime.NumGoroutine(), 0
		up.after = func(context.Context, int) error { within = runtime.NumGoroutine(); return nil }
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		in, left, err := carryAs(ctx, newReplica(t, up, newLedger(t)), "r", "n")
		if err != nil || in.GetId() != "id-0" || len(left) != 0 || within != before {
			t.Errorf("%v, %v; left %d times; %d goroutines and then %d", in, err, len(left), before, within)
		}
	})
}

func TestRunCopyTemplate_DeadlineAfterSending_CallerGetsItsErrorAtOnceAndTheCallIsRecorded(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		},
		"cancelled": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				up := new(fakeUpstream)
				up.after = respondIn(10 * time.Second)
				detached := 0
				s := newReplica(t, up, newLedger(t), func(c *copies.Config) {
					c.Observer = exchangetest.Observer(func(op exchange.Operation, _ *exchange.Exchange, err error) {
						if detached++; err != nil || op.Kind != exchange.DetachedCall {
							t.Errorf("%+v, %v", op, err)
						}
					})
				})
				ctx, cancel := end(t.Context())
				defer cancel()
				began := time.Now()
				told := make(chan time.Duration, 2)
				by := &copies.Runner{OnDetached: func(err error) {
					told <- time.Since(began)
					if e := apierror.FromError(err); e.Reason != apierror.ReasonOutcomeUnknown || e.Outcome != exchange.Unknown {
						t.Errorf("left with %v", err)
					}
				}}
				context.AfterFunc(ctx, func() { by.Detach(ctx.Err()) })
				within, _ := exchange.NewContext(ctx)
				_, _, err := s.RunCopyTemplate(within, &integrationv1.CopyTemplateRequest{TemplateId: uuid, RequestId: "r"}, copies.Before{}, by)
				if took := time.Since(began); !errors.Is(err, copies.ErrDetached) || took != 10*time.Second {
					t.Errorf("%v after %v", err, took)
				}
				if took := <-told; took != time.Second || len(told) != 0 {
					t.Errorf("left after %v, and %d times more", took, len(told))
				}
				copyAs(t.Context(), s, "r", "").want(t, "", apierror.ReasonInvalidRequest, exchange.NotSent) // another request
				if len(up.list()) != 1 || detached != 1 {
					t.Errorf("%d copies, %d detached", len(up.list()), detached)
				}
			})
		})
	}
}

// A caller may leave before its call has come to the point where it is carried.
func TestRunCopyTemplate_DetachBeforeSending_CallerGetsItsErrorOnceTheCallIsSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		up.before = func(context.Context, int) error { time.Sleep(time.Second); return nil }
		up.after = respondIn(time.Hour)
		began := time.Now()
		told := make(chan time.Duration, 2)
		by := &copies.Runner{OnDetached: func(error) { told <- time.Since(began) }}
		by.Detach(context.DeadlineExceeded)
		s := newReplica(t, up, newLedger(t), func(c *copies.Config) { c.Timeout = 2 * time.Hour })
		_, _, err := s.RunCopyTemplate(t.Context(), &integrationv1.CopyTemplateRequest{TemplateId: uuid, RequestId: "r"}, copies.Before{}, by)
		if took := <-told; !errors.Is(err, copies.ErrDetached) || took != time.Second || len(told) != 0 {
			t.Errorf("%v, left after %v, and %d times more", err, took, len(told))
		}
	})
}

// What ends before it is sent is no copy that goes on: it ends with its own verdict.
func TestRunCopyTemplate_DeadlineBeforeSending_IsNotDetached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		up.before = func(ctx context.Context, _ int) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			return apierror.NotBegun(ctx.Err())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, left, err := carryAs(ctx, newReplica(t, up, newLedger(t)), "r", "n")
		if e := apierror.FromError(err); e == nil || e.Reason != apierror.ReasonDeadlineBeforeSend || len(left) != 0 || len(up.list()) != 0 {
			t.Errorf("%v, left %d times, %d copies", err, len(left), len(up.list()))
		}
	})
}

// A goroutine that carries a call does not wait for what is recorded later.
func TestRunCopyTemplate_LedgerAwayAtTheEnd_ReturnsAndIsRecordedLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		began := time.Now()
		l := newLedger(t)
		s := newReplica(t, up, failing(l, "MarkDone", func(context.Context) error {
			if time.Since(began) < 3*time.Second {
				return errLost
			}
			return nil
		}))
		in, _, err := carryAs(t.Context(), s, "r", "n")
		if took := time.Since(began); err != nil || in.GetId() != "id-0" || took != 0 {
			t.Errorf("%v, %v after %v", in, err, took)
		}
		s.Wait(t.Context())
		if took := time.Since(began); took < 3*time.Second {
			t.Errorf("the last try was after %v", took)
		}
		in, _, err = carryAs(t.Context(), s, "r", "n")
		if err != nil || in.GetId() != "id-0" || len(up.list()) != 1 {
			t.Errorf("%v, %v, %d copies", in, err, len(up.list()))
		}
	})
}

// A copy of a stream that is that of another call waits for it, until its time ends.
func TestRunCopyTemplate_AnotherCallIsUnderWay_SharesItsCopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := new(fakeUpstream)
		up.after = respondIn(10 * time.Second)
		s := newReplica(t, up, newLedger(t))
		go copyAs(t.Context(), s, "r", "n")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, left, err := carryAs(ctx, s, "r", "n")
		if e := apierror.FromError(err); e == nil || e.Reason != apierror.ReasonOutcomeUnknown || len(left) != 0 {
			t.Errorf("%v, left %d times", err, len(left))
		}
		in, left, err := carryAs(t.Context(), s, "r", "n")
		if err != nil || in.GetId() != "id-0" || len(left) != 0 || len(up.list()) != 1 {
			t.Errorf("%v, %v, left %d times, %d copies", in, err, len(left), len(up.list()))
		}
	})
}
