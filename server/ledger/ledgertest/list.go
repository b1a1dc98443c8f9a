package ledgertest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
)

// arrangeAll makes a record of every situation that leaves one, a minute apart, and
// returns their claims, the oldest first, with the states that they end in.
func arrangeAll(t *testing.T, h Harness, s ledger.Store) (claims []ledger.Claim, states []ledger.State) {
	t.Helper()
	for _, from := range []struct {
		situation
		state ledger.State
	}{
		{situation{name: "sending, lease over", before: toSending}, ledger.Unknown},
		{situation{name: "claimed, lease over", before: toClaimed}, none},
		{situation{name: "unknown", before: toUnknown}, ledger.Unknown},
		{situation{name: "done", before: toDone}, ledger.Done},
	} {
		claims, states = append(claims, arrange(t, h, s, from.situation)), append(states, from.state)
		h.Advance(t, time.Minute)
	}
	h.Advance(t, Lease)
	for _, to := range []situation{{name: "claimed", before: toClaimed}, {name: "sending", before: toSending}, {name: "released", before: toReleased}} {
		claims = append(claims, arrange(t, h, s, to))
		h.Advance(t, time.Minute)
	}
	return claims, append(states, ledger.Claimed, ledger.Sending, none)
}

func testList(t *testing.T, h Harness) {
	s := h.Open(t)
	claims, states := arrangeAll(t, h, s)
	last := newClaim()
	last.ParentID, last.Method = "Template-2", "CreateTool"
	made := claim(t, s, last)
	claims, states = append(claims, last), append(states, ledger.Claimed)

	check := func(q ledger.Query, which func(ledger.Claim, ledger.State) bool) {
		t.Helper()
		var want []ledger.Digest
		for i, c := range slices.Backward(claims) {
			if states[i] != none && which(c, states[i]) && len(want) < q.Limit {
				want = append(want, c.Key)
			}
		}
		found, err := h.Open(t).List(t.Context(), q)
		must(t, "List", err)
		var got []ledger.Digest
		for _, r := range found {
			got = append(got, r.Key)
			single, ok, err := s.Get(t.Context(), r.Key)
			must(t, "Get", err)
			if single.LapsedFor, r.LapsedFor = min(single.LapsedFor, 1), min(r.LapsedFor, 1); !ok || !same(single, r) {
				t.Errorf("listed as %+v, got as %+v", r, single)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: got %d records, want %d, the latest first", q, len(got), len(want))
		}
	}
	all := func(ledger.Claim, ledger.State) bool { return true }
	for range 2 {
		check(ledger.Query{Limit: 100}, all)
		check(ledger.Query{Limit: 2}, all)
		for state := ledger.Claimed; state <= ledger.Unknown; state++ {
			check(ledger.Query{State: state, Limit: 100}, func(_ ledger.Claim, is ledger.State) bool { return is == state })
		}
		check(ledger.Query{State: ledger.Unknown, Limit: 1}, func(_ ledger.Claim, is ledger.State) bool { return is == ledger.Unknown })
		check(ledger.Query{ParentID: strings.ToLower(last.ParentID), Limit: 100}, func(c ledger.Claim, _ ledger.State) bool { return c.ParentID == last.ParentID })
		check(ledger.Query{ParentID: "it's", Limit: 100}, func(ledger.Claim, ledger.State) bool { return false })
		name := last.Key.RecordName()
		for _, record := range []string{name, name[:13], strings.ToUpper(name[:12])} {
			check(ledger.Query{Record: record, Limit: 100}, func(c ledger.Claim, _ ledger.State) bool { return c.Key == last.Key })
		}
		check(ledger.Query{Since: made.ClaimedAt, Limit: 100}, func(c ledger.Claim, _ ledger.State) bool { return c.Key == last.Key })
		check(ledger.Query{Since: made.ClaimedAt.Add(time.Millisecond), Limit: 100}, func(ledger.Claim, ledger.State) bool { return false })
		if _, err := s.Sweep(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
	}
	if r, _, err := s.Get(t.Context(), last.Key); err != nil || r.Method != last.Method {
		t.Errorf("the method is %q, %v", r.Method, err)
	}
	h.Advance(t, h.Retention+Lease)
	check(ledger.Query{State: ledger.Unknown, Limit: 100}, func(ledger.Claim, ledger.State) bool { return false })
	for _, wrong := range []ledger.Query{{}, {Limit: ledger.MaxListed + 1}, {Limit: 1, ParentID: "\x00"}, {Limit: 1, Record: "xyz"}, {Limit: 1, Record: strings.Repeat("0", 65)}} {
		if _, err := s.List(t.Context(), wrong); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
}

// same reports whether two records are the same, whatever their clocks' zones.
func same(a, b ledger.Record) bool {
	equal := a.ClaimedAt.Equal(b.ClaimedAt)
	a.ClaimedAt = b.ClaimedAt
	return equal && a == b
}

func testStats(t *testing.T, h Harness) {
	s := h.Open(t)
	check := func(what string, least time.Duration, claimed, sending, done, unknown int) {
		t.Helper()
		// What ran out counts as before until it is swept.
		for range 4 {
			if _, err := s.Sweep(t.Context(), 100); err != nil {
				t.Fatal(err)
			}
		}
		got, err := h.Open(t).Stats(t.Context())
		must(t, "Stats", err)
		if want := [...]int{0, claimed, sending, done, unknown}; got.Records != want {
			t.Errorf("%s: got %v, want %v", what, got.Records, want)
		}
		if got.OldestDoubt < least || got.OldestDoubt > least+time.Minute || unknown == 0 && got.OldestDoubt != 0 {
			t.Errorf("%s: the oldest doubt is of %v ago, want %v", what, got.OldestDoubt, least)
		}
	}
	check("nothing", 0, 0, 0, 0, 0)
	claims, _ := arrangeAll(t, h, s)
	check("all", 7*time.Minute+Lease, 1, 1, 1, 2)
	must(t, "Resolve", s.Resolve(t.Context(), claims[0].Key, claims[0].Token, "x"))
	check("one settled", 5*time.Minute+Lease, 1, 1, 2, 1)
	h.Advance(t, h.Retention)
	check("later", h.Retention+2*time.Minute, 0, 0, 0, 1)
	h.Advance(t, h.Retention)
	check("much later", 0, 0, 0, 0, 0)
}

func testHasKey(t *testing.T, h Harness) {
	s, one := h.Open(t), digest()
	check := func(what string, want bool) {
		t.Helper()
		err := h.Open(t).HasKey(t.Context(), one)
		if got := err == nil; got != want || err != nil && !errors.Is(err, ledger.ErrKey) {
			t.Errorf("%s: %v", what, err)
		}
	}
	check("none", false)
	must(t, "KeyCheck", s.KeyCheck(t.Context(), one))
	check("this one", true)
	one = digest()
	check("another", false)
}
