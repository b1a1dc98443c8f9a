package upstream

import (
	"cmp"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/exchange"
)

func TestBudget_CallersDeadline_IsMetWithTimeToSpare(t *testing.T) {
	c := &call{client: &Client{timeout: time.Minute, minTime: 10 * time.Millisecond}}
	for given, kept := range map[time.Duration]time.Duration{
		100 * time.Millisecond: 10 * time.Millisecond,
		time.Second:            100 * time.Millisecond,
		time.Hour:              36*time.Second + 100*time.Millisecond,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), given)
		theirs, _ := ctx.Deadline()
		ours, err := c.budget(ctx)
		if err != nil {
			t.Fatal(err)
		}
		deadline, _ := ours.Deadline()
		if got := theirs.Sub(deadline); got > kept || got < kept/2 {
			t.Errorf("of %v %v were kept back, want %v", given, got, kept)
		}
		cancel()
	}
	ours, err := c.budget(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if deadline, ok := ours.Deadline(); !ok || time.Until(deadline) > time.Minute || time.Until(deadline) < 50*time.Second {
		t.Errorf("without one: %v", deadline)
	}
}

func TestCall_TooLittleTimeToBegin_SendsNothing(t *testing.T) {
	v := newUpstream(t, nil, responding(created()))
	client := newClient(t, v.url(), func(c *Config) { c.MinDeadline = time.Minute; c.Timeout = time.Hour })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	copyOne(ctx, client).want(t, "DEADLINE_BEFORE_SEND", exchange.NotSent, 0, 0, "deadline exceeded")
	copyOne(t.Context(), client).want(t, "", exchange.Done, 201, 1, "")
	if len(v.received()) != 1 {
		t.Errorf("the upstream received %d", len(v.received()))
	}
}

// grpc-core rounds a timeout up on the wire, by as much as 100 ms from 10 s on and by
// 1 s from 100 s on. A verdict within that time finds a caller who has left.
func TestKept_CoversTheRoundingOfTheClients(t *testing.T) {
	for _, c := range []struct{ left, want time.Duration }{
		{50 * time.Millisecond, 5 * time.Millisecond},
		{time.Second, 100 * time.Millisecond},
		{9 * time.Second, 190 * time.Millisecond},
		{11 * time.Second, 210 * time.Millisecond},
		{102 * time.Second, 1120 * time.Millisecond},
	} {
		if got := reserve(c.left); got != c.want {
			t.Errorf("of %v: %v, want %v", c.left, got, c.want)
		}
	}
	for left := 10 * time.Second; left < 10*time.Minute; left += time.Second {
		rounded := 100 * time.Millisecond
		if left >= 100*time.Second {
			rounded = time.Second
		}
		if reserve(left) < rounded+50*time.Millisecond {
			t.Errorf("of %v: %v, which leaves too little for the way of the response", left, reserve(left))
		}
	}
}

func TestCall_DeadlineFarAway_IsBoundedAllTheSame(t *testing.T) {
	const bound = 10 * time.Minute
	for name, c := range map[string]struct {
		timeout time.Duration
		caller  time.Duration // 0 is no deadline
		hook    func(context.Context) (context.Context, error)
		want    time.Duration
	}{
		"a caller with hours":         {caller: 10 * time.Hour, want: bound},
		"a caller with minutes":       {caller: 2 * time.Minute, want: 2*time.Minute - 1300*time.Millisecond},
		"none":                        {want: 30 * time.Second},
		"none, and a timeout of days": {timeout: 48 * time.Hour, want: bound},
		"a hook that has hours": {hook: func(ctx context.Context) (context.Context, error) {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Hour)
			t.Cleanup(cancel)
			return ctx, nil
		}, want: bound},
		"a hook that has none": {hook: func(ctx context.Context) (context.Context, error) {
			return context.WithoutCancel(ctx), nil
		}, want: bound},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := newClientOf(t, never(), func(cfg *Config) {
				cfg.MaxTimeout = bound
				cfg.Timeout = cmp.Or(c.timeout, cfg.Timeout)
			})
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if c.caller > 0 {
				ctx, cancel = context.WithTimeout(ctx, c.caller)
			}
			defer cancel()
			var hook func() (context.Context, error)
			if c.hook != nil {
				hook = func() (context.Context, error) { return c.hook(t.Context()) }
			}
			began := time.Now()
			r := copyVia(ctx, client, hook)
			if took := time.Since(began); took != c.want || r.err.Code != codes.DeadlineExceeded || client.Load().InFlight != 0 {
				t.Errorf("%s: %v after %v, want %v", name, r.err, took, c.want)
			}
		})
	}
}
