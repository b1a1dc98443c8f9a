package soak

import "testing"

func TestScript_SameSeed_IsTheSameScript(t *testing.T) {
	for _, m := range mixes {
		a := &script{mix: m, seed: 7, calls: 500}
		b := &script{mix: m, seed: 7, calls: 500}
		other := &script{mix: m, seed: 8, calls: 500}
		differs := false
		for call := b.calls - 1; call >= 0; call-- { // in another order
			b.attempt(call, 0)
		}
		for call := range a.calls {
			for attempt := range 3 {
				if a.attempt(call, attempt) != b.attempt(call, attempt) {
					t.Errorf("%s: attempt %d of call %d differs", m.name, attempt, call)
				}
			}
			if a.caller(call) != b.caller(call) || a.connection(call) != b.connection(call) || a.restarts(call) != b.restarts(call) {
				t.Errorf("%s: call %d differs", m.name, call)
			}
			differs = differs || a.attempt(call, 0) != other.attempt(call, 0)
		}
		if !differs {
			t.Errorf("%s: another seed makes no other script", m.name)
		}
	}
}

func TestScript_EveryFault_Happens(t *testing.T) {
	happened := make(map[kind]bool)
	habits := make(map[habit]bool)
	for _, m := range mixes {
		s := &script{mix: m, seed: 1, calls: 2000}
		restarts := 0
		for call := range s.calls {
			happened[s.attempt(call, 0).kind] = true
			happened[s.connection(call).kind] = true
			habits[s.caller(call).habit] = true
			if s.restarts(call) {
				restarts++
			}
		}
		if restarts != m.restarts {
			t.Errorf("%s restarts the upstream %d times, want %d", m.name, restarts, m.restarts)
		}
	}
	for k := range kinds {
		if !happened[k] {
			t.Errorf("no mix has fault %d", k)
		}
	}
	for h := overGRPC; h <= haltingREST; h++ {
		if !habits[h] {
			t.Errorf("nobody calls in way %d", h)
		}
	}
}

func TestScript_Shares_FitIntoAThousand(t *testing.T) {
	for _, m := range mixes {
		for _, shares := range [][]share{m.attempts, m.connections} {
			sum := 0
			for _, s := range shares {
				sum += s.perMille
			}
			if sum > 1000 {
				t.Errorf("%s: shares of %d in a thousand", m.name, sum)
			}
		}
	}
}

func TestTemplateID_InAPath_TellsItsCall(t *testing.T) {
	for _, call := range []int{0, 1, 4711, 1 << 40} {
		if got, err := callOf("POST " + restPath(call) + " HTTP/1.1"); err != nil || got != call {
			t.Errorf("call %d came out as %d, %v", call, got, err)
		}
	}
	if _, err := callOf("GET /v1/integration HTTP/1.1"); err == nil {
		t.Error("a path of another route has a call")
	}
}
