package admission

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLimit_EvidenceOfOneRoundTrip_LowersItOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(1000, 0)
		for range 50 {
			l.overloaded(0, 200, 0, 0)
		}
		if got := l.current(); got != 142 || l.window != 1 { // 0.95 of the 150 that were served
			t.Errorf("50 of 200 were refused: %d, in window %d", got, l.window)
		}
		l.overloaded(1, 142, 0, 0)
		if got := l.current(); got != 133 || l.window != 2 {
			t.Errorf("one more after the fall: %d, in window %d", got, l.window)
		}
	})
}

func TestLimit_AllRefused_FallsToATenthAndNeverBelowOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(1000, 0)
		for range 1000 {
			l.overloaded(0, 1000, 0, 0)
		}
		if got := l.current(); got != 95 {
			t.Errorf("got %d", got)
		}
		for i := range 20 {
			l.overloaded(uint32(i+1), 1, 0, 0)
		}
		if got := l.current(); got != 1 || !l.floored() {
			t.Errorf("got %d", got)
		}
	})
}

func TestLimit_TwoInAHundred_AreNoise(t *testing.T) {
	for every, lowered := range map[int]bool{60: false, 40: true} {
		l := newLimit(1000, tolerance)
		for i := range 2000 {
			if i%every == 0 {
				l.overloaded(l.window, 100, 0, 0)
			} else {
				l.serve()
			}
		}
		if (l.window > 0) != lowered {
			t.Errorf("one of %d: fell %d times", every, l.window)
		}
	}
}

func TestLimit_WithoutEvidence_ReturnsStaysAndGrowsToTheBound(t *testing.T) {
	for name, c := range map[string]struct {
		took, wait time.Duration
		scale      float64
	}{
		"at once":                {0, 0, 1},
		"seen late":              {3 * time.Second, 0, 2},
		"after the time it said": {0, 3 * time.Second, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLimit(1000, 0)
			l.overloaded(0, 101, c.took, c.wait)
			time.Sleep(c.wait)
			began := time.Now()
			for _, at := range []struct {
				seconds     float64
				least, most int
			}{{0, 95, 95}, {0.5, 99, 99}, {1, 100, 100}, {1.5, 101, 101}, {2, 108, 108}, {6, 1000, 1000}} {
				time.Sleep(time.Duration(at.seconds*c.scale*float64(time.Second)) - time.Since(began))
				if got := l.current(); got < at.least || got > at.most {
					t.Errorf("%s: %d after %v s, want %d to %d", name, got, at.seconds, at.least, at.most)
				}
			}
			if l.lowered() {
				t.Errorf("%s: still lowered", name)
			}
		})
	}
}

func TestLimit_Held_GrowsOnlyAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(1000, 0)
		l.overloaded(0, 101, 0, 0)
		l.hold(true)
		time.Sleep(time.Hour)
		if got := l.current(); got != 95 {
			t.Errorf("held: %d", got)
		}
		l.hold(false)
		time.Sleep(time.Second)
		if got := l.current(); got != 100 {
			t.Errorf("a second afterwards: %d", got)
		}
	})
}
