package load_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/bench/peers/internal/load"
)

func TestRun_CallsInFlight_AreAsManyAsPlanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		r, err := load.Run(t.Context(), load.Plan{InFlight: 8, For: time.Second}, func(context.Context, int, int) error {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(10 * time.Millisecond)
			now.Add(-1)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if most.Load() != 8 || r.Calls != 800 || r.P50 != 10*time.Millisecond || r.P99 != 10*time.Millisecond {
			t.Errorf("%d in flight, %+v", most.Load(), r)
		}
	})
}

// A call that must wait for another counts from when it was due.
func TestRun_WithARate_CountsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := load.Run(t.Context(), load.Plan{InFlight: 1, For: time.Second, Rate: 100}, func(_ context.Context, _, n int) error {
			if n == 1 {
				time.Sleep(500 * time.Millisecond)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Calls != 99 || r.P99 < 400*time.Millisecond || r.P50 > 10*time.Millisecond {
			t.Errorf("%+v", r)
		}
	})
}

func TestRun_FirstFailure_EndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wrong := errors.New("a wrong response")
		began := time.Now()
		_, err := load.Run(t.Context(), load.Plan{InFlight: 4, For: time.Hour}, func(_ context.Context, _, n int) error {
			time.Sleep(time.Millisecond)
			if n == 10 {
				return wrong
			}
			return nil
		})
		if !errors.Is(err, wrong) || time.Since(began) > time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}
