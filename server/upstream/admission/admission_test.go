package admission

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/server/apierror"
)

func newAdmission() *Admission {
	return New(Config{BreakerDelay: 5 * time.Second, ProbeTimeout: time.Minute, MaxInFlight: 1, MaxQueue: 8, MaxQueueBytes: 1 << 20})
}

func TestEnter_CircuitOpensWhileACallWaits_TheCallIsRefusedAndHoldsNothing(t *testing.T) {
	t.Parallel()
	for _, recorded := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := newAdmission()
			first, err := a.Enter(t.Context(), Request{Account: "a", Recorded: recorded})
			if err != nil {
				t.Fatal(err)
			}
			refused := make(chan error, 1)
			go func() {
				_, err := a.Enter(t.Context(), Request{Account: "b", Recorded: recorded})
				refused <- err
			}()
			synctest.Wait()
			for range breakerCalls {
				record(a.breaker, failure)
			}
			first.Leave(Result{})
			if err := <-refused; err == nil {
				t.Errorf("recorded=%v: the circuit is open, and a call entered", recorded)
			}
			if got := a.Load(); got.InFlight != 0 || got.Slots != 0 || got.Queued != 0 {
				t.Errorf("recorded=%v: %+v", recorded, got)
			}
		})
	}
}

// A call that waits while the circuit opens need not wait for those under way, which may
// have no response for long.
func TestLeave_CircuitOpens_ThoseWithoutTheTimeAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission()
		first, err := a.Enter(t.Context(), Request{Account: "a"})
		if err != nil {
			t.Fatal(err)
		}
		ended := func(within time.Duration) <-chan error {
			refused := make(chan error, 1)
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), within)
				defer cancel()
				_, err := a.Enter(ctx, Request{Account: "b"})
				refused <- err
			}()
			synctest.Wait()
			return refused
		}
		hasty, patient := ended(3*time.Second), ended(time.Minute)
		for range breakerCalls - 1 {
			record(a.breaker, failure)
		}
		a.mu.Lock()
		a.judge(pass{}, failure)
		a.mu.Unlock()
		synctest.Wait()
		select {
		case err := <-hasty:
			if e := apierror.FromError(err); e.Reason != apierror.ReasonCircuitOpen || *e.RetryAfter < 3*time.Second {
				t.Errorf("got %v", e)
			}
		default:
			t.Error("it waits, though the circuit is open for longer than it has")
		}
		if len(patient) != 0 {
			t.Error("one that has the time is refused")
		}
		if got := a.Load(); got.Queued != 1 || got.Refused["circuit_open"] != 1 {
			t.Errorf("%+v", got)
		}
		time.Sleep(7 * time.Second)
		first.Leave(Result{})
		if err := <-patient; err != nil {
			t.Errorf("one that has the time: %v", err)
		}
	})
}

func TestLeave_Probe_IsNotEndedAgainByItsTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission()
		for range breakerCalls {
			record(a.breaker, failure)
		}
		time.Sleep(7 * time.Second)
		probe, err := a.Enter(t.Context(), Request{Account: "a"})
		if err == nil {
			err = probe.Send(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		probe.Leave(Result{Evidence: Served})
		time.Sleep(2 * time.Minute)
		if got := a.Load().Circuit; got != "half-open" {
			t.Errorf("%s after a probe that succeeded", got)
		}
	})
}
