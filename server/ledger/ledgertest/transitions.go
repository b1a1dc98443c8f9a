package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
)

const (
	integration = "integration-1"
	other       = "integration-2"
)

// situation is a history of a record. With lapse, its lease then runs out; with
// expire, also its retention.
type situation struct {
	name          string
	state         ledger.State
	before        func(ctx context.Context, s ledger.Store, c ledger.Claim) error
	lapse, expire bool
}

func toClaimed(context.Context, ledger.Store, ledger.Claim) error { return nil }

func toSending(ctx context.Context, s ledger.Store, c ledger.Claim) error {
	return s.MarkSending(ctx, c.Key, c.Token, Lease)
}

func toDone(ctx context.Context, s ledger.Store, c ledger.Claim) error {
	return errors.Join(toSending(ctx, s, c), s.MarkDone(ctx, c.Key, c.Token, integration))
}

func toUnknown(ctx context.Context, s ledger.Store, c ledger.Claim) error {
	return errors.Join(toSending(ctx, s, c), s.MarkUnknown(ctx, c.Key, c.Token))
}

func toReleased(ctx context.Context, s ledger.Store, c ledger.Claim) error {
	return s.Release(ctx, c.Key, c.Token)
}

var situations = []situation{
	{name: "released", state: none, before: toReleased},
	{name: "claimed", state: ledger.Claimed, before: toClaimed},
	{name: "sending", state: ledger.Sending, before: toSending},
	{name: "done", state: ledger.Done, before: toDone},
	{name: "unknown", state: ledger.Unknown, before: toUnknown},
	{name: "claimed, lease over", state: none, before: toClaimed, lapse: true},
	{name: "sending, lease over", state: ledger.Unknown, before: toSending, lapse: true},
	{name: "sending, lease and retention over", state: none, before: toSending, lapse: true, expire: true},
	{name: "done, retention over", state: none, before: toDone, expire: true},
	{name: "unknown, retention over", state: none, before: toUnknown, expire: true},
}

// operations are the changes of a record. Each has the states in which it is allowed,
// and the state that follows.
var operations = []struct {
	name  string
	do    func(ctx context.Context, s ledger.Store, key ledger.Digest, token ledger.Token) error
	leads map[ledger.State]ledger.State
}{
	{"renew", func(ctx context.Context, s ledger.Store, key ledger.Digest, token ledger.Token) error {
		return s.Renew(ctx, key, token, Lease)
	}, map[ledger.State]ledger.State{ledger.Claimed: ledger.Claimed, ledger.Sending: ledger.Sending}},
	{"send", func(ctx context.Context, s ledger.Store, key ledger.Digest, token ledger.Token) error {
		return s.MarkSending(ctx, key, token, Lease)
	}, map[ledger.State]ledger.State{ledger.Claimed: ledger.Sending}},
	{"finish", func(ctx context.Context, s ledger.Store, key ledger.Digest, token ledger.Token) error {
		return s.MarkDone(ctx, key, token, integration)
	}, map[ledger.State]ledger.State{ledger.Sending: ledger.Done, ledger.Unknown: ledger.Done, ledger.Done: ledger.Done}},
	{"finish with another integration", func(ctx context.Context, s ledger.Store, key ledger.Digest, token ledger.Token) error {
		return s.MarkDone(ctx, key, token, other)
	}, map[ledger.State]ledger.State{ledger.Sending: ledger.Done, ledger.Unknown: ledger.Done}},
	{"doubt", func(ctx context.Context, s ledger.Store, key ledger.Digest, token ledger.Token) error {
		return s.MarkUnknown(ctx, key, token)
	}, map[ledger.State]ledger.State{ledger.Sending: ledger.Unknown, ledger.Unknown: ledger.Unknown}},
	{"release", func(ctx context.Context, s ledger.Store, key ledger.Digest, token ledger.Token) error {
		return s.Release(ctx, key, token)
	}, map[ledger.State]ledger.State{ledger.Claimed: none, ledger.Sending: none, ledger.Unknown: none}},
	{"resolve as made", func(ctx context.Context, s ledger.Store, key ledger.Digest, token ledger.Token) error {
		return s.Resolve(ctx, key, token, fmt.Sprintf("integration-%x", key[:8])) // which no other record names
	}, map[ledger.State]ledger.State{ledger.Unknown: ledger.Done}},
	{"resolve as not made", func(ctx context.Context, s ledger.Store, key ledger.Digest, token ledger.Token) error {
		return s.Resolve(ctx, key, token, "")
	}, map[ledger.State]ledger.State{ledger.Unknown: none}},
}

// arrange brings a new key into the situation.
func arrange(t *testing.T, h Harness, s ledger.Store, from situation) ledger.Claim {
	t.Helper()
	c := newClaim()
	claim(t, s, c)
	must(t, from.name, from.before(t.Context(), s, c))
	if from.lapse {
		h.Advance(t, Lease)
	}
	if from.expire {
		h.Advance(t, h.Retention)
	}
	return c
}

func testTransitions(t *testing.T, h Harness) {
	s := h.Open(t)
	for _, from := range situations {
		for _, op := range operations {
			c := arrange(t, h, s, from)
			to, allowed := op.leads[from.state]
			err := op.do(t.Context(), s, c.Key, c.Token)
			switch {
			case allowed && err != nil:
				t.Errorf("%s of %s: %v", op.name, from.name, err)
			case !allowed && !errors.Is(err, ledger.ErrLost):
				t.Errorf("%s of %s: got %v, want ErrLost", op.name, from.name, err)
			}
			if !allowed {
				to = from.state
			}
			checkRecord(t, s, c, to, op.name+" of "+from.name)
		}
		// And another claim, which is refused if there is a record.
		c := arrange(t, h, s, from)
		r, mine, err := s.Claim(t.Context(), again(c))
		if err != nil || mine != (from.state == none) {
			t.Errorf("claim of %s: mine %v, error %v", from.name, mine, err)
		}
		if !mine && (r.State != from.state || r.Token != c.Token || r.Fingerprint != c.Fingerprint) {
			t.Errorf("claim of %s: got %+v, which is not the record there", from.name, r)
		}
	}
}

// testNamedByAnother names an integration that a record in Done names already: an
// owner may, a resolution may not.
func testNamedByAnother(t *testing.T, h Harness) {
	s := h.Open(t)
	reach := func(to func(context.Context, ledger.Store, ledger.Claim) error) ledger.Claim {
		c := newClaim()
		claim(t, s, c)
		must(t, "the way there", to(t.Context(), s, c))
		return c
	}
	first := reach(toDone)
	second := reach(toUnknown)
	if err := h.Open(t).Resolve(t.Context(), second.Key, second.Token, integration); !errors.Is(err, ledger.ErrNamed) {
		t.Errorf("Resolve: got %v, want ErrNamed", err)
	}
	checkRecord(t, s, second, ledger.Unknown, "refused")
	// A record that is not in doubt fails with ErrLost first.
	sending := reach(toSending)
	if err := s.Resolve(t.Context(), sending.Key, sending.Token, integration); !errors.Is(err, ledger.ErrLost) {
		t.Errorf("Resolve of one that is not in doubt: got %v, want ErrLost", err)
	}
	must(t, "MarkDone", s.MarkDone(t.Context(), sending.Key, sending.Token, integration))
	checkRecord(t, s, first, ledger.Done, "the first")
	checkRecord(t, s, sending, ledger.Done, "the owner's")

	// Once those records are gone, swept or not, the integration is free again.
	h.Advance(t, h.Retention)
	third := reach(toUnknown)
	must(t, "Resolve", s.Resolve(t.Context(), third.Key, third.Token, integration))
	checkRecord(t, s, third, ledger.Done, "the third")
}

// checkRecord compares the key's record with its claim and its expected state.
func checkRecord(t *testing.T, s ledger.Store, c ledger.Claim, want ledger.State, what string) {
	t.Helper()
	r, found, err := s.Get(t.Context(), c.Key)
	must(t, "Get", err)
	if !found {
		if want != none {
			t.Errorf("%s: no record, want %v", what, want)
		}
		return
	}
	if r.State != want || r.Token != c.Token || r.Key != c.Key || r.Fingerprint != c.Fingerprint || r.ParentID != c.ParentID {
		t.Errorf("%s: got %+v, want it in %v", what, r, want)
	}
	if (r.CreatedID != "") != (want == ledger.Done) {
		t.Errorf("%s: the record in %v names %q", what, r.State, r.CreatedID)
	}
}

func testForeignToken(t *testing.T, h Harness) {
	s := h.Open(t)
	for _, from := range situations {
		c := arrange(t, h, s, from)
		for _, op := range operations {
			if err := op.do(t.Context(), s, c.Key, ledger.NewToken()); !errors.Is(err, ledger.ErrLost) {
				t.Errorf("%s of %s by another token: got %v, want ErrLost", op.name, from.name, err)
			}
			checkRecord(t, s, c, from.state, op.name+" of "+from.name+" by another token")
		}
	}
}

func testClaimReturnsRecord(t *testing.T, h Harness) {
	s := h.Open(t)
	c := newClaim()
	r := claim(t, s, c)
	want := ledger.Record{Key: c.Key, Fingerprint: c.Fingerprint, ParentID: c.ParentID, State: ledger.Claimed, Token: c.Token, ClaimedAt: r.ClaimedAt}
	if r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
	got, found, err := h.Open(t).Get(t.Context(), c.Key)
	must(t, "Get", err)
	if !found || !got.ClaimedAt.Equal(r.ClaimedAt) {
		t.Errorf("another handle has found %v, claimed at %v; want %v", found, got.ClaimedAt, r.ClaimedAt)
	}
	h.Advance(t, time.Minute)
	late := claim(t, s, newClaim())
	if d := late.ClaimedAt.Sub(got.ClaimedAt); d < 0 {
		t.Errorf("a later claim was made %v before the first", -d)
	}
}

func testClaimAgain(t *testing.T, h Harness) {
	s := h.Open(t)
	c := newClaim()
	claim(t, s, c)
	claim(t, h.Open(t), c)
	must(t, "MarkSending", s.MarkSending(t.Context(), c.Key, c.Token, Lease))
	if r, mine, err := s.Claim(t.Context(), c); err != nil || mine || r.State != ledger.Sending {
		t.Errorf("once sent: mine %v, state %v, error %v; want it not mine", mine, r.State, err)
	}
}
