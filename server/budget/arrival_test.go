package budget_test

import (
	"testing"

	"github.com/digate/digate/server/budget"
)

func TestArrival_TakesMemoryForWhatArrived_OnceItIsNotSmall(t *testing.T) {
	t.Parallel()
	const limit = 100 * budget.Small
	m := budget.NewMemory(limit)
	share := m.Share(budget.Caller{ID: 1, Known: true})
	other := m.Share(budget.Caller{ID: 2, Known: true})
	var a budget.Arrival
	for _, step := range []struct{ bytes, want int64 }{
		{budget.Small, 0},
		{1, (budget.Small + 1) * budget.PerByte},
		{0, (budget.Small + 1) * budget.PerByte},
		{9, (budget.Small + 10) * budget.PerByte},
	} {
		if !a.Add(step.bytes, &share) || m.Load().Taken != step.want {
			t.Errorf("after %d bytes %d are taken, want %d", a.Bytes, m.Load().Taken, step.want)
		}
	}
	if !other.Take(limit - m.Load().Taken) {
		t.Fatal("another request could not take the rest")
	}
	if a.Add(1, &share) || a.Bytes != budget.Small+11 {
		t.Errorf("there was memory for %d bytes", a.Bytes)
	}
}
