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
		ws := newWorkers(most, func(took time.Duration) bool {
			worst.Store(max(worst.Load(), atOnce.Add(1)))
			time.Sleep(took)
			atOnce.Add(-1)
			done.Add(1)
			return false
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
		ws := newWorkers(1, func(took time.Duration) bool { time.Sleep(took); return false })
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
		ws := newWorkers(1, func(took time.Duration) bool { time.Sleep(took); return false })
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

// Another worker takes the slot of one whose item was left, and the stream does not wait
// for that item.
func TestWorkers_ItemIsLeft_ItsSlotIsFreeAndItsWorkerEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ws *workers[bool]
		var ended atomic.Int64
		ws = newWorkers(1, func(leave bool) (left bool) {
			if leave {
				time.AfterFunc(time.Second, ws.leave)
				time.Sleep(time.Hour)
			}
			ended.Add(1)
			return leave
		})
		began := time.Now()
		for _, leave := range []bool{true, false, true, false} {
			if err := ws.take(t.Context()); err != nil {
				t.Fatal(err)
			}
			ws.give(leave)
		}
		ws.wait()
		if took := time.Since(began); took != 2*time.Second || ended.Load() != 2 {
			t.Errorf("waited %v, %d items have ended", took, ended.Load())
		}
		ws.end()
		time.Sleep(2 * time.Hour) // a worker that has no end fails the bubble
	})
}
