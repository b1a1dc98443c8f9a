package admission

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimiter_QueueOrTheCallersPartFull_RefusesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 1, 8)
		under, err := l.acquire(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		wait := func(caller string) {
			go func() {
				if p, err := l.acquire(ctx, caller); err == nil {
					p.Drop()
				}
			}()
			synctest.Wait()
		}
		for _, of := range []struct {
			caller string
			places int
		}{{"a", 4}, {"b", 2}, {"c", 1}, {"d", 1}, {"e", 0}} {
			for range of.places {
				wait(of.caller)
			}
			if _, err := l.acquire(ctx, of.caller); !errors.Is(err, errFull) {
				t.Errorf("%s has more than %d places: %v", of.caller, of.places, err)
			}
		}
		if l.queued() != 8 {
			t.Errorf("%d wait", l.queued())
		}
		under.Drop() // they follow each other
		synctest.Wait()
		if l.queued() != 0 || len(l.callers) != 0 {
			t.Errorf("%d still wait, of %d callers", l.queued(), len(l.callers))
		}
		cancel()
	})
}

// upstreamOf is an upstream that works on so many requests at once, and has the
// others wait.
type upstreamOf chan struct{}

func (u upstreamOf) respond(after time.Duration) {
	u <- struct{}{}
	time.Sleep(after)
	<-u
}

// load has so many callers keep the limiter busy for a while, and returns the
// limit and the response time at its end.
func load(t *testing.T, u upstreamOf, callers int, responseTime func(*rand.Rand) time.Duration, lasting time.Duration) (limit int, took time.Duration) {
	t.Helper()
	l := newLimiter(20, 1000, 1000)
	end := time.Now().Add(lasting)
	var sum, n atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		wg.Go(func() {
			for time.Now().Before(end) {
				p, err := l.acquire(t.Context(), fmt.Sprint(i))
				if err != nil {
					t.Error(err)
					return
				}
				began := time.Now()
				u.respond(responseTime(r))
				p.Record()
				if time.Until(end) < lasting/10 {
					sum.Add(int64(time.Since(began)))
					n.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return l.permits.Limit(), time.Duration(sum.Load() / max(n.Load(), 1))
}

func TestLimiter_UnderLoad_FollowsTheUpstream(t *testing.T) {
	about := func(mean time.Duration) func(*rand.Rand) time.Duration {
		return func(r *rand.Rand) time.Duration { return mean/2 + time.Duration(r.Int64N(int64(mean))) }
	}
	t.Run("one that is well is not held up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			const mean = 300 * time.Millisecond
			limit, took := load(t, make(upstreamOf, 5000), 500, about(mean), time.Minute)
			if limit < 500 || took > mean*5/4 {
				t.Errorf("responses in %v: the limit came to %d, and they to %v", mean, limit, took)
			}
		})
	})
	t.Run("one that is overrun gets what it can do", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			const mean, can = 50 * time.Millisecond, 50
			limit, took := load(t, make(upstreamOf, can), 500, about(mean), time.Minute)
			if limit > 2*can || took > 2*mean {
				t.Errorf("%d at once: the limit came to %d, and responses to %v", can, limit, took)
			}
		})
	})
}

func TestLimiter_CallerThatStopsWaiting_LeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 1, 8)
		under, _ := l.acquire(t.Context(), "a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.acquire(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) || l.queued() != 0 || len(l.callers) != 0 {
			t.Errorf("%v, %d wait", err, l.queued())
		}
		under.Drop()
		if p, err := l.acquire(t.Context(), "c"); err != nil {
			t.Error(err)
		} else {
			p.Drop()
		}
	})
}
