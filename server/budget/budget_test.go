package budget_test

import (
	"testing"

	"github.com/digate/digate/server/budget"
)

// A request larger than the budget is taken where nothing else is.
func TestShare_LoneRequestLargerThanTheBudget_IsTaken(t *testing.T) {
	for _, known := range []bool{true, false} {
		m := budget.NewMemory(1 << 20)
		large := m.Share(known)
		if !large.Take(3<<20) || !large.Take(1) {
			t.Errorf("known = %v: it was not taken", known)
		}
		other := m.Share(known)
		if other.Take(2000) {
			t.Errorf("known = %v: another request was taken too", known)
		}
		large.GiveBack()
		if !other.Take(2000) || m.Taken() != 2000 {
			t.Errorf("known = %v: %d bytes are taken", known, m.Taken())
		}
		other.GiveBack()
		other.GiveBack()
		if m.Taken() != 0 {
			t.Errorf("known = %v: %d bytes are left", known, m.Taken())
		}
	}
}

func TestShare_OfStrangers_LeavesHalfToKnownCallers(t *testing.T) {
	m := budget.NewMemory(1000)
	var strangers []budget.Share
	for range 20 {
		s := m.Share(false)
		if s.Take(100) {
			strangers = append(strangers, s)
		}
	}
	if len(strangers) != 5 {
		t.Errorf("%d strangers were taken", len(strangers))
	}
	known := m.Share(true)
	for range 5 {
		if !known.Take(100) {
			t.Error("a known caller was not taken")
		}
	}
	if known.Take(100) {
		t.Error("more than the budget was taken")
	}
}

func TestShare_Zero_TakesNothing(t *testing.T) {
	var s budget.Share
	if !s.Take(1 << 40) {
		t.Error("it was refused")
	}
	s.GiveBack()
}

// An operator sees how much is taken, and that there was too little.
func TestLoad_ShowsWhatIsTakenAndRefused(t *testing.T) {
	m := budget.NewMemory(1000)
	known, stranger, another, many := m.Share(true), m.Share(false), m.Share(false), m.Share(true)
	for _, take := range []struct {
		share *budget.Share
		bytes int64
		want  bool
	}{{&known, 300, true}, {&stranger, 400, true}, {&another, 200, false}, {&many, 400, false}} {
		if got := take.share.Take(take.bytes); got != take.want {
			t.Errorf("%d bytes were taken: %v", take.bytes, got)
		}
	}
	if got, want := m.Load(), (budget.Load{Taken: 700, Strangers: 400, Limit: 1000, Refused: 2}); got != want {
		t.Errorf("the load is %+v, want %+v", got, want)
	}
}
