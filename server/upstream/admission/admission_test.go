package admission

import (
	"testing"
	"testing/synctest"
	"time"
)

func newAdmission() *Admission {
	return New(Config{BreakerDelay: 5 * time.Second, ProbeTimeout: time.Minute, MinInFlight: 1, MaxInFlight: 1, MaxQueue: 8})
}

func TestEnter_CircuitOpensWhileACallWaits_TheCallIsRefusedAndHoldsNothing(t *testing.T) {
	t.Parallel()
	for _, recorded := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := newAdmission()
			first, err := a.Enter(t.Context(), "a", recorded)
			if err != nil {
				t.Fatal(err)
			}
			refused := make(chan error, 1)
			go func() {
				_, err := a.Enter(t.Context(), "b", recorded)
				refused <- err
			}()
			synctest.Wait()
			for range breakerCalls {
				record(a.breaker, Failure)
			}
			first.Leave(Ignored)
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
			record(a.breaker, Failure)
		}
		time.Sleep(7 * time.Second)
		probe, err := a.Enter(t.Context(), "a", false)
		if err == nil {
			err = probe.Send(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		probe.Leave(Success)
		time.Sleep(2 * time.Minute)
		if got := a.Load().Circuit; got != "half-open" {
			t.Errorf("%s after a probe that succeeded", got)
		}
	})
}

// permit counts how it was given back.
type permit struct{ recorded, dropped int }

func (p *permit) Record() { p.recorded++ }
func (p *permit) Drop()   { p.dropped++ }

func TestLeave_OnlyTheTimeOfASuccess_Counts(t *testing.T) {
	t.Parallel()
	for r, want := range map[Result]permit{Success: {recorded: 1}, Failure: {dropped: 1}, Ignored: {dropped: 1}} {
		p := new(permit)
		ticket := Ticket{admission: newAdmission(), permit: p}
		ticket.Leave(r)
		if *p != want {
			t.Errorf("%v: %+v, want %+v", r, *p, want)
		}
	}
}

func TestLimiter_LimitGrew_WaitersForSlotsFollow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 1, 8)
		size, served := 1, 0
		l.slots.size = func() int { return size }
		for range 2 {
			go func() {
				if l.slot(t.Context(), "a") == nil {
					served++
				}
			}()
		}
		synctest.Wait()
		size = 2
		if l.slots.tryAcquire() {
			t.Error("a slot went past the one who waits")
		}
		p, err := l.acquire(t.Context(), "b")
		if err != nil {
			t.Fatal(err)
		}
		l.finish(p, true)
		synctest.Wait()
		if served != 2 {
			t.Errorf("%d have a slot, want 2", served)
		}
	})
}
