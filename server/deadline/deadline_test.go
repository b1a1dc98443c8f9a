package deadline_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/server/deadline"
)

type key struct{}

// begin returns a context that ends after the time, before its parent.
func begin(parent context.Context, after time.Duration) *deadline.Context {
	c := new(deadline.Context)
	c.Set(parent, time.Now().Add(after))
	return c
}

// ended reports whether a context's Done is closed.
func ended(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// Whoever waits and whoever only asks learn of the same end.
func TestContext_EveryEnd_IsTheSameForThoseWhoWaitAndThoseWhoAsk(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]struct {
		by   func(c *deadline.Context, cancelParent context.CancelFunc)
		want error
	}{
		"its deadline": {func(*deadline.Context, context.CancelFunc) { time.Sleep(time.Second) }, context.DeadlineExceeded},
		"its parent":   {func(_ *deadline.Context, cancel context.CancelFunc) { cancel() }, context.Canceled},
		"End":          {func(c *deadline.Context, _ context.CancelFunc) { c.End() }, context.Canceled},
		"its deadline, then all else": {func(c *deadline.Context, cancel context.CancelFunc) {
			time.Sleep(time.Second)
			synctest.Wait() // until the timer has ended it
			c.End()
			cancel()
		}, context.DeadlineExceeded},
	} {
		for _, waits := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
				defer cancel()
				c := begin(parent, time.Second)
				if waits && ended(c) || c.Err() != nil {
					t.Fatalf("%s, waits %t: ended at once", name, waits)
				}
				end.by(c, cancel)
				synctest.Wait()
				if err := c.Err(); !errors.Is(err, end.want) || !ended(c) {
					t.Errorf("%s, waits %t: got %v, want %v; done %t", name, waits, err, end.want, ended(c))
				}
				cancel()
				c.End()
				time.Sleep(time.Minute)
				if err := c.Err(); !errors.Is(err, end.want) {
					t.Errorf("%s, waits %t: got %v later, want %v", name, waits, err, end.want)
				}
				if c.Value(key{}) != "value" {
					t.Errorf("%s, waits %t: the value is %v", name, waits, c.Value(key{}))
				}
			})
		}
	}
}

func TestContext_ParentEndsEarlier_HasItsDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c := begin(parent, time.Minute)
		if d, ok := c.Deadline(); !ok || time.Until(d) != time.Second {
			t.Errorf("%v, %t", time.Until(d), ok)
		}
		began := time.Now()
		<-c.Done()
		if time.Since(began) != time.Second || !errors.Is(c.Err(), context.DeadlineExceeded) {
			t.Errorf("%v after %v", c.Err(), time.Since(began))
		}
	})
}

// A child of the context ends with it, and nobody has to wait for that.
func TestContext_Child_EndsWithItAndTakesNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := begin(t.Context(), time.Second)
		before := runtime.NumGoroutine()
		child, cancel := context.WithCancel(c)
		defer cancel()
		stop := context.AfterFunc(c, func() {})
		defer stop()
		if n := runtime.NumGoroutine() - before; n != 0 {
			t.Errorf("%d goroutines", n)
		}
		<-child.Done()
		if !errors.Is(child.Err(), context.DeadlineExceeded) {
			t.Error(child.Err())
		}
	})
}

func TestContext_NobodyWaits_AllocatesNothing(t *testing.T) {
	parent, cancel := context.WithCancel(t.Context())
	defer cancel()
	if got := testing.AllocsPerRun(100, func() {
		c := begin(parent, time.Minute)
		if c.Err() != nil || c.Value(key{}) != nil {
			t.Error("it has ended, or has a value")
		}
		c.End()
	}); got > 1 { // the context itself
		t.Errorf("%v allocations", got)
	}
}
