package upstream

import (
	"context"
	"testing"
	"time"

	"github.com/digate/digate/server/exchange"
)

func TestBudget_CallersDeadline_IsMetWithTimeToSpare(t *testing.T) {
	c := &call{Client: &Client{timeout: time.Minute, minTime: 10 * time.Millisecond}}
	for given, kept := range map[time.Duration]time.Duration{
		100 * time.Millisecond: 10 * time.Millisecond,
		time.Second:            100 * time.Millisecond,
		time.Hour:              100 * time.Millisecond,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), given)
		theirs, _ := ctx.Deadline()
		ours, end, err := c.budget(ctx)
		if err != nil {
			t.Fatal(err)
		}
		deadline, _ := ours.Deadline()
		if got := theirs.Sub(deadline); got > kept || got < kept/2 {
			t.Errorf("of %v %v were kept back, want %v", given, got, kept)
		}
		end()
		cancel()
	}
	ours, end, err := c.budget(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if deadline, ok := ours.Deadline(); !ok || time.Until(deadline) > time.Minute || time.Until(deadline) < 50*time.Second {
		t.Errorf("without one: %v", deadline)
	}
}

func TestCall_TooLittleTimeToBegin_SendsNothing(t *testing.T) {
	v := newVendor(t, nil, answering(created()))
	client := newClient(t, v.url(), func(c *Config) { c.MinTime = time.Minute; c.Timeout = time.Hour })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	copyOne(ctx, client).want(t, "DEADLINE_BEFORE_SEND", exchange.NotSent, 0, 0, "deadline exceeded")
	copyOne(t.Context(), client).want(t, "", exchange.Done, 201, 1, "")
	if len(v.received()) != 1 {
		t.Errorf("the vendor received %d", len(v.received()))
	}
}
