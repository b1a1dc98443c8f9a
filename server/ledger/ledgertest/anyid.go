package ledgertest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/server/ledger"
)

// testAnyID holds [ledger.KeepAnyID] to its promise over the store.
func testAnyID(t *testing.T, h Harness) {
	s := ledger.KeepAnyID(h.Open(t))
	ctx := t.Context()
	long := strings.Repeat("x", 3<<20)
	ids := []string{
		integration, "a\nb", "a\x00b", "\u200b", "\xff", `"a"`, `"a\x00b"`, "(1 bytes)", "é\r", strings.Repeat("\x00", ledger.MaxIDLen/4-1),
		strings.Repeat("\x00", ledger.MaxIDLen), strings.Repeat("x", ledger.MaxIDLen+1), long, long + "y",
	}
	for _, id := range ids {
		want := id
		if len(id) >= ledger.MaxIDLen {
			want = ""
		}
		done, resolved := newClaim(), newClaim()
		claim(t, s, done)
		must(t, "MarkSending", toSending(ctx, s, done))
		if named, err := s.Named(ctx, ids); err != nil || slices.Contains(named, id) {
			t.Errorf("%.20q is named before it is recorded, %v", id, err)
		}
		must(t, "MarkDone", s.MarkDone(ctx, done.Key, done.Token, id))
		must(t, "MarkDone again", s.MarkDone(ctx, done.Key, done.Token, id))
		got, found, err := s.Get(ctx, done.Key)
		if err != nil || !found || got.State != ledger.Done || got.CreatedID != want {
			t.Errorf("%.20q: Get returns %v %.20q, %v", id, got.State, got.CreatedID, err)
		}
		if got, mine, err := s.Claim(ctx, again(done)); err != nil || mine || got.CreatedID != want {
			t.Errorf("%.20q: Claim returns %.20q, %v", id, got.CreatedID, err)
		}
		listed, err := s.List(ctx, ledger.Query{State: ledger.Done, Limit: ledger.MaxListed})
		if err != nil || !slices.ContainsFunc(listed, func(r ledger.Record) bool { return r.Key == done.Key && r.CreatedID == want }) {
			t.Errorf("%.20q: List returns %.200v, %v", id, listed, err)
		}
		if named, err := s.Named(ctx, []string{id}); err != nil || !slices.Equal(named, []string{id}) {
			t.Errorf("%.20q: Named returns %.40q, %v", id, named, err)
		}
		claim(t, s, resolved)
		must(t, "MarkSending", toSending(ctx, s, resolved))
		must(t, "MarkUnknown", s.MarkUnknown(ctx, resolved.Key, resolved.Token))
		if err := s.Resolve(ctx, resolved.Key, resolved.Token, id); !errors.Is(err, ledger.ErrNamed) {
			t.Errorf("%.20q: a second record resolves to it: %v", id, err)
		}
		must(t, "Resolve", s.Resolve(ctx, resolved.Key, resolved.Token, id+"z"))
		if named, err := s.Named(ctx, []string{id + "z"}); err != nil || len(named) != 1 {
			t.Errorf("%.20q: resolved, Named returns %.40q, %v", id, named, err)
		}
	}
}
