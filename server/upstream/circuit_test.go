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

func TestCall_UpstreamThatFails_IsLeftAlone(t *testing.T) {
	for name, script := range map[string]func(net.Conn, string) bool{
		"500":   responding(reply(500, "", envelope)),
		"reset": inTurn(""),
	} {
		t.Run(name, func(t *testing.T) {
			v := newUpstream(t, nil, script)
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
				t.Errorf("the upstream received %d", got)
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
