package memory

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
)

// shared is a store that many callers claim in.
type shared struct {
	*Store
	now  time.Time
	last uint32
}

func newShared(most int) *shared {
	s := &shared{now: time.Unix(1_700_000_000, 0)}
	s.Store = New(Options{Retention: time.Hour, MaxRecords: most, Now: func() time.Time { return s.now }})
	return s
}

// claim makes a claim of a new key for the caller.
func (s *shared) claim(t *testing.T, caller uint64) (ledger.Claim, error) {
	t.Helper()
	s.last++
	c := ledger.Claim{Caller: caller, Token: ledger.NewToken(), Lease: time.Minute}
	binary.BigEndian.PutUint32(c.Key[:], s.last)
	_, mine, err := s.Claim(t.Context(), c)
	if mine != (err == nil) {
		t.Fatal(mine, err)
	}
	return c, err
}

// fill makes claims for the caller until one is refused, and returns those that were
// made.
func (s *shared) fill(t *testing.T, caller uint64) (made []ledger.Claim) {
	t.Helper()
	for {
		c, err := s.claim(t, caller)
		if err != nil {
			if !errors.Is(err, ledger.ErrShare) {
				t.Fatal(err)
			}
			return made
		}
		made = append(made, c)
	}
}

func TestStore_CallerThatClaimsAllItCan_HasThreeTimesWhatItLeavesFree(t *testing.T) {
	s := newShared(1000)
	first := s.fill(t, 1)
	if len(first) != 750 {
		t.Errorf("one alone has %d", len(first))
	}
	if n := len(s.fill(t, 2)); n != 187 { // of 250
		t.Errorf("the second has %d", n)
	}
	if room := s.Room(); room != (ledger.Room{Records: 937, Limit: 1000, Share: 2}) {
		t.Errorf("%+v", room)
	}
	// What it has it keeps, and it may ask for it.
	if _, mine, err := s.Claim(t.Context(), first[0]); !mine || err != nil {
		t.Errorf("a claim of its own: %v, %v", mine, err)
	}
	// Claims of nobody have all the room that there is.
	for range 63 {
		if _, err := s.claim(t, 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.claim(t, 3); !errors.Is(err, ledger.ErrFull) {
		t.Errorf("in a full ledger: %v", err)
	}
}

func TestStore_ManyCallers_HaveEqualSharesAndLeaveRoom(t *testing.T) {
	s := newShared(1000)
	has := make([]int, 9)
	for taken := true; taken; {
		taken = false
		for caller := range has {
			if _, err := s.claim(t, uint64(caller)+1); err == nil {
				has[caller]++
				taken = true
			}
		}
	}
	for _, n := range has { // 3/28 each
		if n < 105 || n > 108 {
			t.Errorf("they have %d", has)
			break
		}
	}
	if n := len(s.fill(t, 100)); n < 20 {
		t.Errorf("one that comes late has %d", n)
	}
}

// However its records go, a caller has room again, and one that has none is forgotten.
func TestStore_RecordsOfACallerAreGone_ItHasItsShareAgain(t *testing.T) {
	s := newShared(8)
	for round, end := range []func(ledger.Claim){
		func(c ledger.Claim) {
			if err := s.Release(t.Context(), c.Key, c.Token); err != nil {
				t.Error(err)
			}
		},
		func(ledger.Claim) { s.now = s.now.Add(time.Minute) }, // the lease runs out
		func(c ledger.Claim) {
			if err := errors.Join(s.MarkSending(t.Context(), c.Key, c.Token, time.Minute), s.MarkDone(t.Context(), c.Key, c.Token, "made")); err != nil {
				t.Error(err)
			}
		},
		func(c ledger.Claim) {
			err := errors.Join(s.MarkSending(t.Context(), c.Key, c.Token, time.Minute), s.MarkUnknown(t.Context(), c.Key, c.Token))
			if err := errors.Join(err, s.Resolve(t.Context(), c.Key, c.Token, "")); err != nil {
				t.Error(err)
			}
		},
	} {
		made := s.fill(t, 1)
		if len(made) != 6 {
			t.Errorf("round %d: it has %d", round, len(made))
		}
		for _, c := range made {
			end(c)
		}
		if round == 2 {
			if n := len(s.fill(t, 1)); n != 0 {
				t.Errorf("it has %d more beside those that are done", n)
			}
			s.now = s.now.Add(time.Hour)
		}
		for n := 1; n > 0; {
			var err error
			if n, err = s.Sweep(t.Context(), 100); err != nil {
				t.Fatal(err)
			}
		}
		if len(s.callers.has) != 0 || s.Room().Records != 0 {
			t.Errorf("round %d: left behind: %v, %+v", round, s.callers.has, s.Room())
		}
	}
}
