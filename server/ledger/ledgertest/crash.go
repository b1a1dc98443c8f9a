package ledgertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
)

// The points at which an owner can die, and the state of its record once the lease
// has run out.
func testCrash(t *testing.T, h Harness) {
	for _, point := range []struct {
		name          string
		before        func(context.Context, ledger.Store, ledger.Claim) error
		during, after ledger.State
	}{
		{"claimed", toClaimed, ledger.Claimed, none},
		{"claimed and renewed", func(ctx context.Context, s ledger.Store, c ledger.Claim) error {
			return s.Renew(ctx, c.Key, c.Token, Lease)
		}, ledger.Claimed, none},
		{"sending", toSending, ledger.Sending, ledger.Unknown},
		{"sending and renewed", func(ctx context.Context, s ledger.Store, c ledger.Claim) error {
			return errors.Join(toSending(ctx, s, c), s.Renew(ctx, c.Key, c.Token, Lease))
		}, ledger.Sending, ledger.Unknown},
		{"in doubt", toUnknown, ledger.Unknown, ledger.Unknown},
		{"released", toReleased, none, none},
		{"done", toDone, ledger.Done, ledger.Done},
	} {
		t.Run(point.name, func(t *testing.T) {
			c := newClaim()
			dead := h.Open(t)
			claim(t, dead, c)
			must(t, point.name, point.before(t.Context(), dead, c))

			heir := h.Open(t)
			h.Advance(t, Lease-time.Minute)
			checkRecord(t, heir, c, point.during, "while the lease holds")
			h.Advance(t, time.Minute)
			checkRecord(t, heir, c, point.after, "once the lease is over")
			if _, mine, err := heir.Claim(t.Context(), again(c)); err != nil || mine != (point.after == none) {
				t.Errorf("the heir's claim: mine %v, error %v", mine, err)
			}
		})
	}
}

func testRenew(t *testing.T, h Harness) {
	s := h.Open(t)
	claimed, sending := newClaim(), newClaim()
	claim(t, s, claimed)
	claim(t, s, sending)
	must(t, "MarkSending", toSending(t.Context(), s, sending))
	for range 5 {
		h.Advance(t, Lease-time.Minute)
		must(t, "Renew", s.Renew(t.Context(), claimed.Key, claimed.Token, Lease))
		must(t, "Renew", s.Renew(t.Context(), sending.Key, sending.Token, Lease))
	}
	// Sending renews too.
	h.Advance(t, Lease-time.Minute)
	must(t, "MarkSending", toSending(t.Context(), s, claimed))
	h.Advance(t, Lease-time.Minute)
	must(t, "MarkDone", s.MarkDone(t.Context(), claimed.Key, claimed.Token, integration))
	checkRecord(t, s, claimed, ledger.Done, "renewed while claimed")
	checkRecord(t, s, sending, ledger.Unknown, "not renewed any more")

	// And a renewal may shorten the lease.
	short := newClaim()
	claim(t, s, short)
	must(t, "Renew", s.Renew(t.Context(), short.Key, short.Token, time.Minute))
	h.Advance(t, time.Minute)
	checkRecord(t, s, short, none, "renewed for a minute")
}

func testSlowOwner(t *testing.T, h Harness) {
	s := h.Open(t)
	slow := newClaim()
	claim(t, s, slow)
	must(t, "MarkSending", toSending(t.Context(), s, slow))
	h.Advance(t, Lease+time.Minute)
	if got := stateOf(t, s, slow.Key); got != ledger.Unknown {
		t.Fatalf("the lease is over, and the record in %v", got)
	}
	must(t, "MarkDone", s.MarkDone(t.Context(), slow.Key, slow.Token, integration))
	checkRecord(t, s, slow, ledger.Done, "finished late")

	// Resolved as not created, the key is free. Once another has it, the slow owner
	// can no longer write to it.
	taken := newClaim()
	claim(t, s, taken)
	must(t, "MarkSending", toSending(t.Context(), s, taken))
	h.Advance(t, Lease)
	must(t, "Resolve", s.Resolve(t.Context(), taken.Key, taken.Token, ""))
	heir := again(taken)
	claim(t, h.Open(t), heir)
	must(t, "MarkSending", toSending(t.Context(), s, heir))
	for _, op := range operations {
		if err := op.do(t.Context(), s, taken.Key, taken.Token); !errors.Is(err, ledger.ErrLost) {
			t.Errorf("%s by the owner before: got %v, want ErrLost", op.name, err)
		}
	}
	checkRecord(t, s, heir, ledger.Sending, "the heir's record")
}
