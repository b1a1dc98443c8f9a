package admission

import (
	"testing"
	"testing/synctest"
	"time"
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
