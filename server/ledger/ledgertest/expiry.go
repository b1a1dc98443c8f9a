package ledgertest

import (
	"slices"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
)

func testRetention(t *testing.T, h Harness) {
	s := h.Open(t)
	done, unknown, lapsed := newClaim(), newClaim(), newClaim()
	claim(t, s, done)
	must(t, "done", toDone(t.Context(), s, done))
	claim(t, s, unknown)
	must(t, "unknown", toUnknown(t.Context(), s, unknown))
	claim(t, s, lapsed)
	must(t, "sending", toSending(t.Context(), s, lapsed))

	h.Advance(t, h.Retention-time.Minute)
	checkRecord(t, s, done, ledger.Done, "before the retention is over")
	checkRecord(t, s, unknown, ledger.Unknown, "before the retention is over")
	h.Advance(t, time.Minute)
	checkRecord(t, s, done, none, "after the retention")
	checkRecord(t, s, unknown, none, "after the retention")

	// The retention of a record that its lease settled counts from the lease's end.
	checkRecord(t, s, lapsed, ledger.Unknown, "before its retention is over")
	must(t, "MarkUnknown", s.MarkUnknown(t.Context(), lapsed.Key, lapsed.Token))
	h.Advance(t, Lease)
	checkRecord(t, s, lapsed, none, "after its retention")

	// A repeated MarkDone does not keep a record longer.
	twice := newClaim()
	claim(t, s, twice)
	must(t, "done", toDone(t.Context(), s, twice))
	h.Advance(t, h.Retention-time.Minute)
	must(t, "MarkDone", s.MarkDone(t.Context(), twice.Key, twice.Token, integration))
	h.Advance(t, time.Minute)
	checkRecord(t, s, twice, none, "finished twice")
}

func testSweepLimit(t *testing.T, h Harness) {
	s := h.Open(t)
	sweep := func(limit, want int) {
		t.Helper()
		if n, err := s.Sweep(t.Context(), limit); err != nil || n != want {
			t.Errorf("Sweep(%d) = %d, %v; want %d", limit, n, err, want)
		}
	}
	sweep(10, 0)
	for i := range 10 {
		c := newClaim()
		claim(t, s, c)
		if i%2 == 0 {
			must(t, "done", toDone(t.Context(), s, c))
		} else {
			must(t, "unknown", toUnknown(t.Context(), s, c))
		}
	}
	sweep(100, 0)
	h.Advance(t, h.Retention)
	sweep(0, 0)
	sweep(4, 4)
	sweep(4, 4)
	sweep(4, 2)
	sweep(4, 0)
	live := newClaim()
	claim(t, s, live)
	must(t, "done", toDone(t.Context(), s, live))
	sweep(4, 0)
	checkRecord(t, s, live, ledger.Done, "a live record")
}

func testSweepSettles(t *testing.T, h Harness) {
	s := h.Open(t)
	sending, renewed := make([]ledger.Claim, 3), newClaim()
	for i := range sending {
		sending[i] = newClaim()
		claim(t, s, sending[i])
		must(t, "MarkSending", toSending(t.Context(), s, sending[i]))
	}
	claim(t, s, newClaim())
	h.Advance(t, Lease-time.Minute)
	claim(t, s, renewed)
	h.Advance(t, time.Minute)
	sweepAll := func() (removed int) {
		for range 8 {
			n, err := s.Sweep(t.Context(), 2)
			must(t, "Sweep", err)
			removed += n
		}
		return removed
	}
	if n := sweepAll(); n != 1 {
		t.Errorf("%d records were removed, want the one whose lease ran out before it was sent", n)
	}
	checkRecord(t, s, renewed, ledger.Claimed, "a claim whose lease holds")
	for _, c := range sending {
		checkRecord(t, s, c, ledger.Unknown, "one that was sent")
	}
	h.Advance(t, h.Retention)
	for _, c := range sending {
		checkRecord(t, s, c, none, "one that was sent, after the retention")
	}
	sweepAll()
}

// testSweepKeepsRetention sweeps long after the lease ran out, so that a
// retention that began with the sweep would end later.
func testSweepKeepsRetention(t *testing.T, h Harness) {
	s := h.Open(t)
	const late = 10 * time.Minute
	c := newClaim()
	claim(t, s, c)
	must(t, "MarkSending", toSending(t.Context(), s, c))
	h.Advance(t, Lease+late)
	if n, err := s.Sweep(t.Context(), 10); err != nil || n != 0 {
		t.Errorf("Sweep removed %d, error %v; the record is in doubt", n, err)
	}
	h.Advance(t, h.Retention-late-time.Minute)
	checkRecord(t, s, c, ledger.Unknown, "a minute before the retention ends")
	h.Advance(t, time.Minute)
	checkRecord(t, s, c, none, "when the retention ends")

	if _, err := s.Sweep(t.Context(), 10); err != nil {
		t.Fatal(err)
	}

	// A sweep that comes after lease and retention removes the record.
	never := newClaim()
	claim(t, s, never)
	must(t, "MarkSending", toSending(t.Context(), s, never))
	h.Advance(t, Lease+h.Retention)
	removed := 0
	for range 3 {
		n, err := s.Sweep(t.Context(), 10)
		must(t, "Sweep", err)
		removed += n
	}
	if removed != 1 {
		t.Errorf("%d records were removed, want the one that nobody had looked at", removed)
	}
}

// testLeaseBoundary looks at each state right before its lease or retention ends.
func testLeaseBoundary(t *testing.T, h Harness) {
	s := h.Open(t)
	const before = time.Minute // longer than the calls below take on a real clock
	claimed, sending, renewed, slow := newClaim(), newClaim(), newClaim(), newClaim()
	for _, c := range []ledger.Claim{claimed, sending, renewed, slow} {
		claim(t, s, c)
	}
	h.Advance(t, Lease/2)
	// MarkSending renews the lease, and so does Renew, whichever state it is in.
	must(t, "MarkSending", toSending(t.Context(), s, sending))
	must(t, "MarkSending", toSending(t.Context(), s, slow))
	must(t, "Renew", s.Renew(t.Context(), renewed.Key, renewed.Token, Lease))
	h.Advance(t, Lease/2-before)
	checkRecord(t, s, claimed, ledger.Claimed, "before its lease ends")
	h.Advance(t, before)
	checkRecord(t, s, claimed, none, "when its lease ends")
	checkRecord(t, s, sending, ledger.Sending, "whose lease was renewed when it was sent")
	checkRecord(t, s, renewed, ledger.Claimed, "whose lease was renewed")
	h.Advance(t, Lease/2-before)
	checkRecord(t, s, sending, ledger.Sending, "before its renewed lease ends")
	checkRecord(t, s, renewed, ledger.Claimed, "before its renewed lease ends")
	h.Advance(t, before)
	checkRecord(t, s, sending, ledger.Unknown, "when its renewed lease ends")
	checkRecord(t, s, renewed, none, "when its renewed lease ends")

	// The slow owner reports the doubt late, and the retention still counts from the
	// lease's end. Resolve and MarkDone begin a new retention.
	h.Advance(t, 10*time.Minute)
	must(t, "MarkUnknown", s.MarkUnknown(t.Context(), slow.Key, slow.Token))
	must(t, "Resolve", s.Resolve(t.Context(), sending.Key, sending.Token, other))
	h.Advance(t, h.Retention-10*time.Minute-before)
	checkRecord(t, s, slow, ledger.Unknown, "before the retention ends that began with the lease's end")
	h.Advance(t, before)
	checkRecord(t, s, slow, none, "when the retention ends that began with the lease's end")
	h.Advance(t, 10*time.Minute-before)
	checkRecord(t, s, sending, ledger.Done, "before the retention ends that began when it was resolved")
	h.Advance(t, before)
	checkRecord(t, s, sending, none, "when the retention ends that began when it was resolved")
}

// A doubt since a lease's end differs from a doubt that the owner reported, and its
// age is known, whether the record was swept or not.
func testLapsedFor(t *testing.T, h Harness) {
	s := h.Open(t)
	told, silent, back := newClaim(), newClaim(), newClaim()
	for _, c := range []ledger.Claim{told, silent, back} {
		claim(t, s, c)
		must(t, "MarkSending", toSending(t.Context(), s, c))
	}
	must(t, "MarkUnknown", s.MarkUnknown(t.Context(), told.Key, told.Token))
	lapsedFor := func(c ledger.Claim, least, most time.Duration) {
		t.Helper()
		r, found, err := h.Open(t).Get(t.Context(), c.Key)
		must(t, "Get", err)
		seen, mine, err := s.Claim(t.Context(), again(c))
		must(t, "Claim", err)
		for _, got := range []time.Duration{r.LapsedFor, seen.LapsedFor} {
			if !found || mine || got < least || got > most {
				t.Errorf("got %v, want %v to %v", got, least, most)
			}
		}
	}
	lapsedFor(silent, 0, 0)
	h.Advance(t, Lease)
	lapsedFor(silent, 1, time.Minute)
	h.Advance(t, 5*time.Minute)
	for range 2 {
		lapsedFor(told, 0, 0)
		lapsedFor(silent, 5*time.Minute, 6*time.Minute)
		lapsedFor(back, 5*time.Minute, 6*time.Minute)
		if _, err := s.Sweep(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
	}
	// The slow owner reports the doubt after all.
	must(t, "MarkUnknown", s.MarkUnknown(t.Context(), back.Key, back.Token))
	lapsedFor(back, 0, 0)
	must(t, "Resolve", s.Resolve(t.Context(), silent.Key, silent.Token, ""))

	// The next claim of the key has nothing of it.
	must(t, "a life after", life(t, s, again(silent), integration))
	lapsedFor(silent, 0, 0)
	h.Advance(t, h.Retention)
	next := again(back)
	claim(t, s, next)
	must(t, "unknown", toUnknown(t.Context(), s, next))
	lapsedFor(back, 0, 0)
}

func testNamed(t *testing.T, h Harness) {
	s := h.Open(t)
	made := func(id string) {
		c := newClaim()
		claim(t, s, c)
		must(t, "MarkSending", toSending(t.Context(), s, c))
		must(t, "MarkDone", s.MarkDone(t.Context(), c.Key, c.Token, id))
	}
	named := func(want ...string) {
		t.Helper()
		got, err := h.Open(t).Named(t.Context(), []string{"a", "b", "c", "resolved", "", "\x00", "it's \"quoted\"\\"})
		must(t, "Named", err)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	named()
	made("a")
	made("it's \"quoted\"\\")
	unknown := newClaim()
	claim(t, s, unknown)
	must(t, "unknown", toUnknown(t.Context(), s, unknown))
	named("a", "it's \"quoted\"\\")
	must(t, "Resolve", s.Resolve(t.Context(), unknown.Key, unknown.Token, "resolved"))
	made("elsewhere")
	named("a", "it's \"quoted\"\\", "resolved")

	// One of two records that name an integration is enough.
	h.Advance(t, h.Retention-time.Minute)
	made("a")
	h.Advance(t, time.Minute)
	named("a")
	if _, err := s.Sweep(t.Context(), 100); err != nil {
		t.Error(err)
	}
	named("a")
	h.Advance(t, h.Retention)
	named()

	if got, err := s.Named(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("of no ids: %q, %v", got, err)
	}
	if _, err := s.Named(t.Context(), make([]string, ledger.MaxNamed)); err != nil {
		t.Errorf("of as many as there may be: %v", err)
	}
}
