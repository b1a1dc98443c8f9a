package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// journal records the hooks that are called, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

// part returns a part whose hooks are recorded. Its Drain returns when busy is
// closed, or at once if busy is nil. Its Serve returns when the part is closed.
func (j *journal) part(name string, busy chan struct{}) *Part {
	closed := make(chan struct{})
	return &Part{
		Name:  name,
		Serve: func(context.Context) error { <-closed; return nil },
		Drain: func() {
			j.note("drain " + name)
			if busy != nil {
				<-busy
			}
		},
		Cut:   func() { j.note("cut " + name) },
		Close: func() error { j.note("close " + name); close(closed); return nil },
	}
}

func TestLifecycle_ContextEnds_DrainsAndClosesFromTheTopDown(t *testing.T) {
	var j journal
	var l Stack
	l.Push(j.part("below", nil))
	l.Push(j.part("above", nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Run(ctx, time.Minute); err != nil {
		t.Error(err)
	}
	if want := []string{"drain above", "drain below", "close above", "close below"}; !slices.Equal(j.lines, want) {
		t.Errorf("got %v, want %v", j.lines, want)
	}
}

func TestLifecycle_WorkOutlastsTheTimeout_IsCutAndMayEndBeforeItsPartCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		var l Stack
		busy := make(chan struct{})
		below, above := j.part("below", nil), j.part("above", busy)
		cut := below.Cut
		below.Cut = func() { // ends the work under way a little later
			cut()
			time.AfterFunc(lastWords/2, func() { j.note("ended"); close(busy) })
		}
		l.Push(below)
		l.Push(above)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begun := time.Now()
		if err := l.Run(ctx, time.Minute); err == nil || !strings.Contains(err.Error(), "were cut") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begun); took != time.Minute+lastWords/2 {
			t.Errorf("took %v", took)
		}
		if want := []string{"drain above", "cut below", "cut above", "ended", "drain below", "close above", "close below"}; !slices.Equal(j.lines, want) {
			t.Errorf("got %v, want %v", j.lines, want)
		}
	})
}

func TestLifecycle_WorkIgnoresTheCut_IsEndedByTheClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		var l Stack
		busy := make(chan struct{})
		above := j.part("above", busy)
		closed := above.Close
		above.Close = func() error { close(busy); return closed() }
		l.Push(j.part("below", nil))
		l.Push(above)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begun := time.Now()
		if err := l.Run(ctx, time.Minute); err == nil {
			t.Error("no error")
		}
		if took := time.Since(begun); took != time.Minute+lastWords {
			t.Errorf("took %v", took)
		}
		if i, k := slices.Index(j.lines, "close above"), slices.Index(j.lines, "close below"); i < 0 || k < i || slices.Index(j.lines, "drain below") > k {
			t.Errorf("got %v", j.lines)
		}
	})
}

func TestLifecycle_PartFails_EndsTheOthersAndIsNamed(t *testing.T) {
	var j journal
	var l Stack
	broken := errors.New("broken")
	l.Push(j.part("below", nil))
	l.Push(&Part{Name: "listener", Serve: func(context.Context) error { return broken }})
	if err := l.Run(t.Context(), time.Minute); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "listener: ") {
		t.Errorf("got %v", err)
	}
	if want := []string{"drain below", "close below"}; !slices.Equal(j.lines, want) {
		t.Errorf("got %v, want %v", j.lines, want)
	}
}

func TestLifecycle_CloseWithoutRun_ClosesEachPartOnceAndReturnsEveryError(t *testing.T) {
	var j journal
	var l Stack
	one, two := errors.New("one"), errors.New("two")
	l.Push(&Part{Name: "below", Close: func() error { j.note("below"); return one }})
	l.Push(&Part{Name: "above", Close: func() error { j.note("above"); return two }}, &Part{Name: "nothing"})
	if err := l.Close(); !errors.Is(err, one) || !errors.Is(err, two) {
		t.Errorf("got %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if want := []string{"above", "below"}; !slices.Equal(j.lines, want) {
		t.Errorf("got %v, want %v", j.lines, want)
	}
}

func TestLifecycle_PartThatEndsSlowly_EndsBeforeTheStageBelowCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		var l Stack
		l.Push(j.part("below", nil))
		l.Push(&Part{Name: "slow", Serve: func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			j.note("slow ended")
			return nil
		}})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Run(ctx, time.Minute); err != nil {
			t.Error(err)
		}
		if want := []string{"drain below", "slow ended", "close below"}; !slices.Equal(j.lines, want) {
			t.Errorf("got %v, want %v", j.lines, want)
		}
	})
}
