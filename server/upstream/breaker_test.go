package upstream

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/exchange"
)

func record(b *breaker, h health) bool {
	turn, _, ok := b.begin(time.Minute)
	if ok {
		b.end(turn, h)
	}
	return ok
}

func opened(t *testing.T) *breaker {
	t.Helper()
	b := newBreaker(5*time.Second, nil)
	for range breakerCalls {
		record(b, failing)
	}
	if b.state() != "open" {
		t.Fatal("not open")
	}
	return b
}

func TestBreaker_HalfOfEnoughExchangesFailing_OpensIt(t *testing.T) {
	for name, c := range map[string]struct {
		results [3]int // silent, alive, failing
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
		if wait, open := b.refuses(time.Minute); open != c.open || open && wait <= 0 {
			t.Errorf("%s: open %v for %v, want %v", name, open, wait, c.open)
		}
	}
}

func TestBreaker_TrialsDoWell_ClosesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t)
		if record(b, alive) {
			t.Error("open, and let one through")
		}
		time.Sleep(7 * time.Second)
		for range breakerTrials {
			if !record(b, alive) {
				t.Fatal("no trial")
			}
		}
		if b.state() != "closed" {
			t.Error(b.state())
		}
	})
}

func TestBreaker_TrialFails_OpensItAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t)
		time.Sleep(7 * time.Second)
		record(b, alive)
		record(b, failing)
		if b.state() != "open" {
			t.Error(b.state())
		}
	})
}

func TestBreaker_TrialsThatSayNothing_DoNotStayTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t)
		time.Sleep(7 * time.Second)
		for range 10 * breakerTrials {
			if !record(b, silent) {
				t.Fatal("the trials are used up")
			}
		}
		if b.state() != "half-open" {
			t.Error(b.state())
		}
	})
}

// A trial that says nothing takes nothing from those that did well.
func TestBreaker_CallersLeaveAmongTrials_GoodOnesCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t)
		time.Sleep(7 * time.Second)
		for range breakerTrials {
			if !record(b, silent) || !record(b, alive) {
				t.Fatal("no trial")
			}
		}
		if b.state() != "closed" {
			t.Error(b.state())
		}
	})
}

func TestBreaker_CallersLeave_APlaceIsKeptFromTheLikeOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t)
		time.Sleep(7 * time.Second)
		begin := func(left time.Duration) (turn, bool) {
			turn, _, ok := b.begin(left)
			return turn, ok
		}
		var trials [breakerTrials]turn
		for i := range trials {
			trials[i], _ = begin(time.Second)
		}
		if wait, refused := b.refuses(time.Minute); !refused || wait <= 0 {
			t.Errorf("all trials are taken, and another may begin: %v", wait)
		}
		time.Sleep(time.Second)
		for _, trial := range trials {
			b.end(trial, silent)
		}
		for range breakerTrials - 1 {
			if _, ok := begin(time.Second); !ok {
				t.Error("no trial for those without much time")
			}
		}
		if _, ok := begin(2 * time.Second); ok {
			t.Error("the last place went to one that may well leave")
		}
		if _, ok := begin(3 * time.Second); !ok {
			t.Error("no trial for one that can wait")
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
				record(b, failing)
				time.Sleep(c.pause)
			}
			if _, open := b.refuses(time.Minute); open != c.open {
				t.Errorf("%s: %s", name, b.state())
			}
		})
	}
}

func TestBreaker_ResultOfAnEraBefore_DoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(5*time.Second, nil)
		late, _, _ := b.begin(time.Minute)
		for range breakerCalls {
			record(b, failing)
		}
		time.Sleep(7 * time.Second)
		trial, _, ok := b.begin(time.Minute)
		if !ok || b.state() != "half-open" {
			t.Fatal(b.state())
		}
		for range breakerTrials {
			b.end(late, alive)
		}
		if b.state() != "half-open" {
			t.Errorf("late results made it %s", b.state())
		}
		b.end(trial, failing)
		if b.state() != "open" {
			t.Error(b.state())
		}
	})
}

func TestCall_VendorThatFails_IsLeftAlone(t *testing.T) {
	for name, script := range map[string]func(net.Conn, string) bool{
		"500":   answering(reply(500, "", envelope)),
		"reset": inTurn(""),
	} {
		t.Run(name, func(t *testing.T) {
			v := newVendor(t, nil, script)
			client := newClient(t, v.url(), func(c *Config) { c.BreakerDelay = time.Hour })
			for range breakerCalls {
				copyOne(t.Context(), client)
			}
			r := copyOne(t.Context(), client)
			r.want(t, "UPSTREAM_CIRCUIT_OPEN", exchange.NotSent, 0, 0, "")
			if r.err.Code != codes.Unavailable || r.err.RetryAfter == nil || *r.err.RetryAfter < 40*time.Minute {
				t.Errorf("%v, retry after %v", r.err, r.err.RetryAfter)
			}
			if got := len(v.received()); got != breakerCalls {
				t.Errorf("the vendor received %d", got)
			}
			if client.Load().Circuit != "open" || client.Load().InFlight != 0 {
				t.Errorf("%+v", client.Load())
			}
		})
	}
}

func TestCall_RefusalsAndCallersThatLeave_DoNotOpenTheCircuit(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	v := newVendor(t, nil, func(c net.Conn, r string) bool {
		if len(r) > 0 && r[len(r)-1] == '}' && len(r)%2 == 0 {
			return answering(reply(429, "", envelope))(c, r)
		}
		<-hang
		return false
	})
	client := newClient(t, v.url(), func(c *Config) { c.BreakerDelay = time.Hour })
	for i := range 3 * breakerCalls {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 30*time.Millisecond, errors.New("left"))
		if i%2 == 0 {
			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(20*time.Millisecond, cancel)
		}
		copyOne(ctx, client)
		cancel()
	}
	if got := client.Load(); got.Circuit != "closed" || got.InFlight != 0 {
		t.Errorf("%+v", got)
	}
}
