package upstream

import (
	"context"
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

// A trial that is ignored takes nothing from those that succeeded and does not
// stay taken.
func TestBreaker_Trials_DecideItsState(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		results []health
		times   int
		want    string
	}{
		"all succeed":           {[]health{alive}, breakerTrials, "closed"},
		"too few succeed":       {[]health{alive}, breakerTrials - 1, "half-open"},
		"one fails":             {[]health{alive, failing}, 1, "open"},
		"callers leave":         {[]health{silent}, 10 * breakerTrials, "half-open"},
		"callers leave between": {[]health{silent, alive}, breakerTrials, "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := opened(t)
				if record(b, alive) {
					t.Error("open, and let one through")
				}
				time.Sleep(7 * time.Second)
				for range c.times {
					for _, h := range c.results {
						if !record(b, h) {
							t.Fatalf("no trial while %s", b.state())
						}
					}
				}
				if got := b.state(); got != c.want {
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
	t.Parallel()
	stay := func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithCancel(ctx) }
	for name, c := range map[string]struct {
		upstream roundTrip
		caller   func(context.Context) (context.Context, context.CancelFunc)
		status   int
		cause    string
	}{
		"refusals": {after(0, 429, envelope), stay, 429, ""},
		"callers that cancel": {never(), func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(20*time.Millisecond, cancel)
			return ctx, cancel
		}, 0, "cancelled"},
		"callers whose deadline passes": {never(), func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 30*time.Millisecond)
		}, 0, "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := newClientOf(t, c.upstream, func(c *Config) { c.BreakerDelay = time.Hour })
				for range 3 * breakerCalls {
					ctx, cancel := c.caller(t.Context())
					r := copyOne(ctx, client)
					cancel()
					if len(r.ex.Attempts) != 1 || r.ex.Status != c.status || r.ex.Cause != c.cause {
						t.Fatalf("%d attempts, HTTP %d, cause %q", len(r.ex.Attempts), r.ex.Status, r.ex.Cause)
					}
				}
				if got := client.Load(); got.Circuit != "closed" || got.InFlight != 0 {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}
