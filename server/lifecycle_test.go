package server

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/health"

	"github.com/digate/digate/server/config"
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

// part returns a part whose hooks are recorded. Its drain returns when busy is
// closed, or at once if busy is nil. Its serve returns when the part is closed.
func (j *journal) part(name string, busy chan struct{}) *part {
	closed := make(chan struct{})
	return &part{
		name:  name,
		serve: func(context.Context) error { <-closed; return nil },
		drain: func() {
			j.note("drain " + name)
			if busy != nil {
				<-busy
			}
		},
		cut:   func() { j.note("cut " + name) },
		close: func() error { j.note("close " + name); close(closed); return nil },
	}
}

func TestLifecycle_ContextEnds_DrainsAndClosesFromTheTopDown(t *testing.T) {
	var j journal
	var l lifecycle
	l.push(j.part("below", nil))
	l.push(j.part("above", nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.run(ctx, time.Minute); err != nil {
		t.Error(err)
	}
	if want := []string{"drain above", "drain below", "close above", "close below"}; !slices.Equal(j.lines, want) {
		t.Errorf("got %v, want %v", j.lines, want)
	}
}

func TestLifecycle_WorkOutlastsTheTimeout_IsCutAndMayEndBeforeItsPartCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		var l lifecycle
		busy := make(chan struct{})
		below, above := j.part("below", nil), j.part("above", busy)
		cut := below.cut
		below.cut = func() { // ends the work under way a little later
			cut()
			time.AfterFunc(lastWords/2, func() { j.note("ended"); close(busy) })
		}
		l.push(below)
		l.push(above)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begun := time.Now()
		if err := l.run(ctx, time.Minute); err == nil || !strings.Contains(err.Error(), "were cut") {
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
		var l lifecycle
		busy := make(chan struct{})
		above := j.part("above", busy)
		closed := above.close
		above.close = func() error { close(busy); return closed() }
		l.push(j.part("below", nil))
		l.push(above)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begun := time.Now()
		if err := l.run(ctx, time.Minute); err == nil {
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
	var l lifecycle
	broken := errors.New("broken")
	l.push(j.part("below", nil))
	l.push(&part{name: "listener", serve: func(context.Context) error { return broken }})
	if err := l.run(t.Context(), time.Minute); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "listener: ") {
		t.Errorf("got %v", err)
	}
	if want := []string{"drain below", "close below"}; !slices.Equal(j.lines, want) {
		t.Errorf("got %v, want %v", j.lines, want)
	}
}

func TestLifecycle_CloseWithoutRun_ClosesEachPartOnceAndReturnsEveryError(t *testing.T) {
	var j journal
	var l lifecycle
	one, two := errors.New("one"), errors.New("two")
	l.push(&part{name: "below", close: func() error { j.note("below"); return one }})
	l.push(&part{name: "above", close: func() error { j.note("above"); return two }}, &part{name: "nothing"})
	if err := l.close(); !errors.Is(err, one) || !errors.Is(err, two) {
		t.Errorf("got %v", err)
	}
	if err := l.close(); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if want := []string{"above", "below"}; !slices.Equal(j.lines, want) {
		t.Errorf("got %v, want %v", j.lines, want)
	}
}

func TestLifecycle_PartThatEndsSlowly_EndsBeforeTheStageBelowCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		var l lifecycle
		l.push(j.part("below", nil))
		l.push(&part{name: "slow", serve: func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			j.note("slow ended")
			return nil
		}})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.run(ctx, time.Minute); err != nil {
			t.Error(err)
		}
		if want := []string{"drain below", "slow ended", "close below"}; !slices.Equal(j.lines, want) {
			t.Errorf("got %v, want %v", j.lines, want)
		}
	})
}

// A part that failed leaves nothing for which a delay could wait.
func TestAfterDelay_ServerEndsByItself_EndsAtOnce(t *testing.T) {
	t.Parallel()
	s := &Server{cfg: config.Config{Limits: config.Limits{DrainDelay: time.Hour}}, health: health.NewServer(), log: slog.New(slog.DiscardHandler), whyDrain: func() error { return nil }}
	for _, stop := range []func(context.CancelFunc){func(context.CancelFunc) {}, func(cancel context.CancelFunc) { cancel() }} {
		ctx, cancel := context.WithCancel(t.Context())
		served, end := s.afterDelay(ctx)
		stop(cancel)
		end()
		if served.Err() == nil {
			t.Error("it is served on")
		}
		cancel()
	}
}
