package telemetry

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestChildren_ManyGoroutines_MakeEachChildOnce(t *testing.T) {
	t.Parallel()
	var made atomic.Int64
	c := children[int, *int]{child: func(key int) *int {
		made.Add(1)
		return &key
	}}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for key := range 100 {
				if got := c.of(key % 10); *got != key%10 || got != c.of(key%10) {
					t.Errorf("%d: got %d", key%10, *got)
				}
			}
		})
	}
	wg.Wait()
	if got := made.Load(); got != 10 {
		t.Errorf("%d children were made, want 10", got)
	}
}
