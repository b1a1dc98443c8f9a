//go:build !race

package copies_test

import "testing"

// The bound is what a copy with a request id takes today beside what Diga is asked, of
// which the test's own request and context are four.
func TestAllocations_CopyTemplate_AreBounded(t *testing.T) {
	const bound = 24
	if got := testing.AllocsPerRun(2000, newQuick(t)); got > bound {
		t.Errorf("%v allocations, want %v at most", got, bound)
	}
}
