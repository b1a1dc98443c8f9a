package admission

import (
	"testing"
	"testing/synctest"
	"time"
)

func record(b *breaker, r health) bool {
	p, _, ok := b.begin(time.Minute)
	if ok {
		b.end(p, r)
	}
	return ok
}

func opened(t *testing.T) *breaker {
	t.Helper()
	b := newBreaker(5*time.Second, nil)
	for range breakerCalls {
		record(b, failure)
	}
	if b.state() != open {
		t.Fatal("not open")
	}
	return b
}

func TestBreaker_HalfOfEnoughExchangesFailing_OpensIt(t *testing.T) {
	for name, c := range map[string]struct {
		results [3]int // ignored, success, failure
		open    bool
	}{
		"too few":                   {[3]int{0, 0, breakerCalls - 1}, false},
		"all":                       {[3]int{0, 0, breakerCalls}, true},
		"half":                      {[3]int{0, breakerCalls / 2, breakerCalls / 2}, true},
		"less than half":            {[3]int{0, breakerCalls/2 + 1, breakerCalls / 2}, false},
		"refusals":                  {[3]int{0, 10 * breakerCalls, 0}, false},
		"callers that left":         {[3]int{10 * breakerCalls, 0, 0}, false},
		"callers that left, others": {[3]int{10 * breakerCalls, 0, breakerCalls}, true},
	} {
		b := newBreaker(time.Second, nil)
		for h, n := range c.results {
			for range n {
				record(b, health(h))
			}
		}
		if wait, open := b.refusal(time.Minute); open != c.open || open && wait <= 0 {
			t.Errorf("%s: open %v for %v, want %v", name, open, wait, c.open)
		}
	}
}

// A probe that is ignored takes nothing from those that succeeded and does not
// stay taken.
func TestBreaker_Probes_DecideItsState(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		results []health
		times   int
		want    string
	}{
		"all succeed":           {[]health{success}, breakerProbes, "closed"},
		"too few succeed":       {[]health{success}, breakerProbes - 1, "half-open"},
		"one fails":             {[]health{success, failure}, 1, "open"},
		"callers leave":         {[]health{ignored}, 10 * breakerProbes, "half-open"},
		"callers leave between": {[]health{ignored, success}, breakerProbes, "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := opened(t)
				if record(b, success) {
					t.Error("open, and let one through")
				}
				time.Sleep(7 * time.Second)
				for range c.times {
					for _, h := range c.results {
						if !record(b, h) {
							t.Fatalf("no probe while %s", b.state())
						}
					}
				}
				if got := b.state(); string(got) != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
			})
		})
	}
}

func TestBreaker_CallersLeave_APlaceIsKeptFromTheLikeOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t)
		time.Sleep(7 * time.Second)
		begin := func(left time.Duration) (pass, bool) {
			p, _, ok := b.begin(left)
			return p, ok
		}
		var probes [breakerProbes]pass
		for i := range probes {
			probes[i], _ = begin(time.Second)
		}
		if wait, refused := b.refusal(time.Minute); !refused || wait <= 0 {
			t.Errorf("all probes are taken, and another may begin: %v", wait)
		}
		time.Sleep(time.Second)
		for _, probe := range probes {
			b.end(probe, ignored)
		}
		for range breakerProbes - 1 {
			if _, ok := begin(time.Second); !ok {
				t.Error("no probe for those without much time")
			}
		}
		if _, ok := begin(2 * time.Second); ok {
			t.Error("the last place went to one that may well leave")
		}
		if _, ok := begin(3 * time.Second); !ok {
			t.Error("no probe for one that can wait")
		}
	})
}

func TestBreaker_ResultsOlderThanThePeriod_DoNotCount(t *testing.T) {
	for name, c := range map[string]struct {
		pause time.Duration
		open  bool
	}{
		"within it": {breakerPeriod / (breakerCalls + 1), true},
		"older":     {breakerPeriod / (breakerCalls - 2), false},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBreaker(time.Hour, nil)
			for range 3 * breakerCalls {
				record(b, failure)
				time.Sleep(c.pause)
			}
			if _, open := b.refusal(time.Minute); open != c.open {
				t.Errorf("%s: %s", name, b.state())
			}
		})
	}
}

func TestBreaker_ResultOfAnEarlierGeneration_DoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(5*time.Second, nil)
		late, _, _ := b.begin(time.Minute)
		for range breakerCalls {
			record(b, failure)
		}
		time.Sleep(7 * time.Second)
		probe, _, ok := b.begin(time.Minute)
		if !ok || b.state() != halfOpen {
			t.Fatal(b.state())
		}
		for range breakerProbes {
			b.end(late, success)
		}
		if b.state() != halfOpen {
			t.Errorf("late results made it %s", b.state())
		}
		b.end(probe, failure)
		if b.state() != open {
			t.Error(b.state())
		}
	})
}
