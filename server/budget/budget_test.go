package budget_test

import (
	"fmt"
	"testing"

	"github.com/digate/digate/server/budget"
)

func known(id uint64) budget.Caller    { return budget.Caller{ID: id, Known: true} }
func stranger(id uint64) budget.Caller { return budget.Caller{ID: id} }

// fill takes 100 bytes for as many requests of the caller as there is room for, and
// returns their shares.
func fill(m *budget.Memory, c budget.Caller) (taken []*budget.Share) {
	for {
		s := m.Share(c)
		if !s.Take(100) {
			return taken
		}
		taken = append(taken, &s)
	}
}

// A request larger than the budget is taken where nothing else is.
func TestShare_LoneRequestLargerThanTheBudget_IsTaken(t *testing.T) {
	for name, caller := range map[string]func(uint64) budget.Caller{"known": known, "stranger": stranger} {
		m := budget.NewMemory(1 << 20)
		large := m.Share(caller(1))
		if !large.Take(3<<20) || !large.Take(1) {
			t.Errorf("%s: it was not taken", name)
		}
		other := m.Share(caller(2))
		if other.Take(2000) {
			t.Errorf("%s: another request was taken too", name)
		}
		large.GiveBack()
		if !other.Take(2000) || m.Load().Taken != 2000 {
			t.Errorf("%s: %d bytes are taken", name, m.Load().Taken)
		}
		other.GiveBack()
		other.GiveBack()
		if m.Load() != (budget.Load{Limit: 1 << 20, Refused: m.Load().Refused}) {
			t.Errorf("%s: %+v is left", name, m.Load())
		}
	}
}

func TestShare_OfStrangers_LeavesHalfToKnownCallers(t *testing.T) {
	m := budget.NewMemory(1000)
	var strangers []budget.Share
	for id := range uint64(20) {
		s := m.Share(stranger(id))
		if s.Take(100) {
			strangers = append(strangers, s)
		}
	}
	if len(strangers) != 5 {
		t.Errorf("%d strangers were taken", len(strangers))
	}
	for id := range uint64(5) {
		s := m.Share(known(id))
		if !s.Take(100) {
			t.Error("a known caller was not taken")
		}
	}
	s := m.Share(known(5))
	if s.Take(100) {
		t.Error("more than the budget was taken")
	}
}

// Whoever comes late finds room, however many came before.
func TestShare_OfACaller_IsThreeTimesWhatIsLeftFree(t *testing.T) {
	for callers, want := range map[uint64]int{1: 3000, 2: 1714, 3: 1200, 9: 428} { // 3/4, 3/7, 3/10, 3/28
		for name, caller := range map[string]func(uint64) budget.Caller{"known": known, "stranger": stranger} {
			t.Run(fmt.Sprintf("%d %s", callers, name), func(t *testing.T) {
				limit := int64(400_000)
				if name == "stranger" {
					limit *= 2
				}
				m := budget.NewMemory(limit)
				has := make([]int, callers)
				for taken := true; taken; {
					taken = false
					for id := range callers {
						s := m.Share(caller(id))
						if s.Take(100) {
							has[id]++
							taken = true
						}
					}
				}
				for _, n := range has {
					if n < want-2 || n > want+2 {
						t.Errorf("they have %d, want %d each", has, want)
						break
					}
				}
				if late := len(fill(m, caller(callers))); late < want/8 {
					t.Errorf("one that comes late has %d", late)
				}
				if got := m.Load().Refused; got.ForAll != 0 || got.ForShare == 0 {
					t.Errorf("refused: %+v", got)
				}
			})
		}
	}
}

// What its caller has is nothing to one request alone, which may be large.
func TestShare_OnlyRequestOfItsCaller_MayTakeAllThatIsFree(t *testing.T) {
	m := budget.NewMemory(1000)
	greedy := fill(m, known(1))
	s := m.Share(known(2))
	if len(greedy) != 7 || !s.Take(200) || !s.Take(100) {
		t.Errorf("beside %d requests of another: %+v", len(greedy), m.Load())
	}
	second := m.Share(known(2))
	if s.GiveBack(); !s.Take(200) || second.Take(100) {
		t.Errorf("a second request was taken: %+v", m.Load())
	}
}

// A caller that left leaves nothing behind.
func TestShare_GivenBack_IsWholeAgain(t *testing.T) {
	m := budget.NewMemory(1000)
	for range 3 {
		greedy := fill(m, known(1))
		if len(greedy) != 7 {
			t.Errorf("it has %d", len(greedy))
		}
		for _, s := range greedy {
			s.Return(40)
			s.GiveBack()
		}
	}
	if got := m.Load(); got.Taken != 0 || got.Refused.ForShare != 3 {
		t.Errorf("%+v", got)
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
	its, ofStranger, ofAnother, many, again := m.Share(known(1)), m.Share(stranger(1)), m.Share(stranger(2)), m.Share(known(2)), m.Share(known(1))
	for _, take := range []struct {
		share *budget.Share
		bytes int64
		want  bool
	}{{&its, 300, true}, {&ofStranger, 400, true}, {&ofAnother, 200, false}, {&many, 400, false}, {&again, 250, false}} {
		if got := take.share.Take(take.bytes); got != take.want {
			t.Errorf("%d bytes were taken: %v", take.bytes, got)
		}
	}
	if got, want := m.Load(), (budget.Load{Taken: 700, Strangers: 400, Limit: 1000, Refused: budget.Refused{ForAll: 2, ForShare: 1}}); got != want {
		t.Errorf("the load is %+v, want %+v", got, want)
	}
}

func BenchmarkShare(b *testing.B) {
	m := budget.NewMemory(1 << 30)
	b.ReportAllocs()
	for b.Loop() {
		s := m.Share(known(1))
		s.Take(2000)
		s.GiveBack()
	}
}
