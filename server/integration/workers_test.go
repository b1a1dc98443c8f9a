package integration

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWorkers_ManyItems_AreDoneByFewGoroutinesAndNoMoreAtOnceThanMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, items = 3, 30
		var atOnce, worst, done atomic.Int64
		ws := newWorkers(most, func(took time.Duration) {
			worst.Store(max(worst.Load(), atOnce.Add(1)))
			time.Sleep(took)
			atOnce.Add(-1)
			done.Add(1)
		})
		before := runtime.NumGoroutine()
		for range items {
			if err := ws.take(t.Context()); err != nil {
				t.Fatal(err)
			}
			ws.give(time.Second)
		}
		if n := runtime.NumGoroutine() - before; n != most {
			t.Errorf("%d goroutines, want %d", n, most)
		}
		ws.wait()
		if done.Load() != items || worst.Load() != most {
			t.Errorf("%d done, %d at once", done.Load(), worst.Load())
		}
		ws.end() // or the bubble does not end
	})
}

// A worker that is at work when the others end does so too.
func TestWorkers_EndedAtWork_EndAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ws := newWorkers(1, func(took time.Duration) { time.Sleep(took) })
		if err := ws.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		ws.give(time.Second)
		ws.end()
		ws.wait()
	})
}

func TestWorkers_NoneIsIdle_WaitsUntilTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ws := newWorkers(1, func(took time.Duration) { time.Sleep(took) })
		defer ws.end()
		defer ws.wait()
		if err := ws.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		ws.give(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := ws.take(ctx); err == nil || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
