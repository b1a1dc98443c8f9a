package ledgertest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
)

func testKeyCheck(t *testing.T, h Harness) {
	a, b := digest(), digest()
	must(t, "the first", h.Open(t).KeyCheck(t.Context(), a))
	must(t, "the same", h.Open(t).KeyCheck(t.Context(), a))
	if err := h.Open(t).KeyCheck(t.Context(), b); !errors.Is(err, ledger.ErrKey) {
		t.Errorf("another: got %v, want ErrKey", err)
	}
	must(t, "the same again", h.Open(t).KeyCheck(t.Context(), a))
}

func testBounds(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	c := newClaim()
	claim(t, s, c)
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", what, err)
		}
	}
	for _, id := range []string{"", strings.Repeat("x", ledger.MaxIDLen+1), "a\x00b", "a\nb", "\xff"} {
		bad := newClaim()
		bad.ParentID = id
		if _, _, err := s.Claim(ctx, bad); id != "" {
			refused("Claim", err)
		} else if err != nil {
			t.Errorf("a claim without a parent: %v", err)
		}
		refused("MarkDone", s.MarkDone(ctx, c.Key, c.Token, id))
		if id != "" {
			refused("Resolve", s.Resolve(ctx, c.Key, c.Token, id))
		}
	}
	for _, lease := range []time.Duration{0, -1, ledger.MaxLease + 1} {
		bad := newClaim()
		bad.Lease = lease
		_, _, err := s.Claim(ctx, bad)
		refused("Claim", err)
		refused("Renew", s.Renew(ctx, c.Key, c.Token, lease))
		refused("MarkSending", s.MarkSending(ctx, c.Key, c.Token, lease))
	}
	bad := newClaim()
	bad.Token = ledger.Token{}
	_, _, err := s.Claim(ctx, bad)
	refused("Claim without a token", err)
	_, err = s.Named(ctx, make([]string, ledger.MaxNamed+1))
	refused("Named", err)
	checkRecord(t, s, c, ledger.Claimed, "after all that")

	longest := strings.Repeat("ü", ledger.MaxIDLen/2) + "x"
	must(t, "MarkSending", toSending(ctx, s, c))
	must(t, "Finish with the longest id", s.MarkDone(ctx, c.Key, c.Token, longest))
	if r, _, err := s.Get(ctx, c.Key); err != nil || r.CreatedID != longest {
		t.Errorf("got %q, %v", r.CreatedID, err)
	}
}

func testEndedContext(t *testing.T, h Harness) {
	s := h.Open(t)
	claimed := newClaim()
	claim(t, s, claimed)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, claimErr := s.Claim(ended, again(claimed))
	_, _, getErr := s.Get(ended, claimed.Key)
	_, namedErr := s.Named(ended, []string{integration})
	_, sweepErr := s.Sweep(ended, 1)
	errs := map[string]error{"claim": claimErr, "get": getErr, "named": namedErr, "sweep": sweepErr, "key check": s.KeyCheck(ended, digest())}
	for _, op := range operations {
		errs[op.name] = op.do(ended, s, claimed.Key, claimed.Token)
	}
	for name, err := range errs {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want the context's error", name, err)
		}
	}
	checkRecord(t, s, claimed, ledger.Claimed, "after calls that had ended")
	must(t, "a key check after one that had ended", s.KeyCheck(t.Context(), digest()))
}
