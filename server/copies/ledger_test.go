package copies_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/memory"
)

var errLost = errors.New("lost")

func newLedger(t *testing.T) *memory.Store {
	l := memory.New(memory.Options{})
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// gated is a ledger whose calls fail where pass, which gets the method's name,
// fails. Such a call does not reach the ledger.
type gated struct {
	copies.Ledger
	pass func(ctx context.Context, method string) error
}

func (g gated) Claim(ctx context.Context, c ledger.Claim) (ledger.Record, bool, error) {
	if err := g.pass(ctx, "Claim"); err != nil {
		return ledger.Record{}, false, err
	}
	return g.Ledger.Claim(ctx, c)
}

func (g gated) Renew(ctx context.Context, k ledger.Digest, t ledger.Token, l time.Duration) error {
	if err := g.pass(ctx, "Renew"); err != nil {
		return err
	}
	return g.Ledger.Renew(ctx, k, t, l)
}

func (g gated) MarkSending(ctx context.Context, k ledger.Digest, t ledger.Token, l time.Duration) error {
	if err := g.pass(ctx, "MarkSending"); err != nil {
		return err
	}
	return g.Ledger.MarkSending(ctx, k, t, l)
}

func (g gated) MarkDone(ctx context.Context, k ledger.Digest, t ledger.Token, id string) error {
	if err := g.pass(ctx, "MarkDone"); err != nil {
		return err
	}
	return g.Ledger.MarkDone(ctx, k, t, id)
}

func (g gated) MarkUnknown(ctx context.Context, k ledger.Digest, t ledger.Token) error {
	if err := g.pass(ctx, "MarkUnknown"); err != nil {
		return err
	}
	return g.Ledger.MarkUnknown(ctx, k, t)
}

func (g gated) Release(ctx context.Context, k ledger.Digest, t ledger.Token) error {
	if err := g.pass(ctx, "Release"); err != nil {
		return err
	}
	return g.Ledger.Release(ctx, k, t)
}

// failing returns a ledger one of whose methods fails as f does.
func failing(l copies.Ledger, method string, f func(context.Context) error) copies.Ledger {
	return gated{l, func(ctx context.Context, called string) error {
		if called != method {
			return nil
		}
		return f(ctx)
	}}
}

// died returns the ledger as an owner sees it that dies before or after sending:
// nothing that the owner does after that reaches the ledger.
func died(l copies.Ledger, when string) copies.Ledger {
	return gated{l, func(_ context.Context, method string) error {
		if method == "Claim" || method == "MarkSending" && when == "after sending" {
			return nil
		}
		return errLost
	}}
}

// counting counts the calls to a ledger. A call whose hook is set fails as the
// hook does.
type counting struct {
	copies.Ledger
	claims, renewals, marks, releases atomic.Int64
	// claimed, sending and renewed run after the method did its work; done and
	// released run instead of it.
	claimed, sending, renewed, done, released func(ctx context.Context) error
}

// after returns the error of f, or err if f is nil.
func after(ctx context.Context, err error, f func(ctx context.Context) error) error {
	if f == nil {
		return err
	}
	return f(ctx)
}

func hang(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func fail(context.Context) error { return errLost }

func (c *counting) Claim(ctx context.Context, claim ledger.Claim) (ledger.Record, bool, error) {
	c.claims.Add(1)
	r, mine, err := c.Ledger.Claim(ctx, claim)
	if err = after(ctx, err, c.claimed); err != nil {
		return ledger.Record{}, false, err
	}
	return r, mine, nil
}

func (c *counting) Renew(ctx context.Context, k ledger.Digest, t ledger.Token, l time.Duration) error {
	c.renewals.Add(1)
	return after(ctx, c.Ledger.Renew(ctx, k, t, l), c.renewed)
}

func (c *counting) MarkSending(ctx context.Context, k ledger.Digest, t ledger.Token, l time.Duration) error {
	return after(ctx, c.Ledger.MarkSending(ctx, k, t, l), c.sending)
}

func (c *counting) MarkDone(ctx context.Context, k ledger.Digest, t ledger.Token, id string) error {
	c.marks.Add(1)
	if c.done != nil {
		return c.done(ctx)
	}
	return c.Ledger.MarkDone(ctx, k, t, id)
}

func (c *counting) Release(ctx context.Context, k ledger.Digest, t ledger.Token) error {
	c.releases.Add(1)
	if c.released != nil {
		return c.released(ctx)
	}
	return c.Ledger.Release(ctx, k, t)
}

// releasing is a ledger that releases a claim instead of marking it as sending.
type releasing struct{ copies.Ledger }

func (r releasing) MarkSending(ctx context.Context, k ledger.Digest, t ledger.Token, _ time.Duration) error {
	return r.Release(ctx, k, t)
}

// overtaken is a ledger in which the claim runs out before it is marked as sending,
// and another replica makes the copy.
type overtaken struct {
	copies.Ledger
	by func()
}

func (o *overtaken) MarkSending(ctx context.Context, k ledger.Digest, t ledger.Token, l time.Duration) error {
	if by := o.by; by != nil {
		o.by = nil
		if err := o.Ledger.Release(ctx, k, t); err != nil {
			return err
		}
		by()
	}
	return o.Ledger.MarkSending(ctx, k, t, l)
}
