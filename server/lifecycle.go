package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// part is something that a server starts and has to end. Every hook may be nil.
type part struct {
	name string
	// serve runs until the context ends, or until drain or close ends it.
	serve func(ctx context.Context) error
	// drain takes no more work and returns when none is under way, which close
	// must bring about too.
	drain func()
	// cut fails the work under way, so that its callers hear a verdict.
	cut func()
	// close releases what the part holds. It is called once, after drain or
	// without it, whether or not the part ever served.
	close func() error

	served chan struct{} // closed when serve returned, nil where it was never called
}

// stage is the parts that drain at the same time: one that has long work must
// not leave another open, or without time.
type stage struct {
	parts   []*part
	drained chan struct{}
}

// lifecycle is a stack of stages: each relies on those pushed before it, so the
// last one drains and closes first. It belongs to one goroutine at a time.
type lifecycle struct {
	stages []*stage
}

// push adds a stage on top.
func (l *lifecycle) push(parts ...*part) {
	l.stages = append(l.stages, &stage{parts: parts})
}

// lastWords is how long the calls that were cut have to tell their callers.
const lastWords = time.Second

// run serves all parts until the context ends or a part fails, then drains
// them from the top down, for at most the timeout. Nothing runs or is held when
// run returns. The error is that of the part that failed first, or says that
// work was cut.
func (l *lifecycle) run(ctx context.Context, timeout time.Duration) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range l.stages {
		for _, p := range s.parts {
			if p.serve == nil {
				continue
			}
			p.served = make(chan struct{})
			g.Go(func() error {
				defer close(p.served)
				if err := p.serve(ctx); err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				return nil
			})
		}
	}
	g.Go(func() error {
		<-ctx.Done()
		cut := l.drain(timeout)
		return errors.Join(cut, l.close())
	})
	return g.Wait()
}

// drain drains the stages from the top down. Where the timeout passes before
// that, drain cuts the work under way and returns an error.
func (l *lifecycle) drain(timeout time.Duration) error {
	stages := l.stages // close takes them off the stack meanwhile
	for _, s := range stages {
		s.drained = make(chan struct{})
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, s := range slices.Backward(stages) {
			s.drain()
		}
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-ended:
		return nil
	case <-timer.C:
	}
	for _, s := range stages {
		for _, p := range s.parts {
			if p.cut != nil {
				p.cut()
			}
		}
	}
	timer.Reset(lastWords)
	select {
	case <-ended:
	case <-timer.C:
	}
	return errors.New("calls were still under way at the end of the shutdown timeout and were cut; their outcome is unknown to their callers")
}

// drain drains all parts at once and returns when all of them are drained.
func (s *stage) drain() {
	defer close(s.drained)
	var wg sync.WaitGroup
	for _, p := range s.parts {
		if p.drain != nil {
			wg.Go(p.drain)
		}
	}
	wg.Wait()
}

// awaitDrained waits for the end of the stage's drain, for at most the timeout. It
// reports whether the stage is drained, or was never asked to.
func (s *stage) awaitDrained(timeout time.Duration) bool {
	if s.drained == nil {
		return true
	}
	select {
	case <-s.drained:
		return true
	default:
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-s.drained:
		return true
	case <-timer.C:
		return false
	}
}

// close closes the stages from the top down. Nothing of a stage runs any more
// when the stage below it closes. The stack is empty afterwards.
//
// A stage that is still draining closes at once. The stages below it could not
// drain before, so each of them gets lastWords to do so.
func (l *lifecycle) close() error {
	var errs []error
	stuck := false
	for ; len(l.stages) > 0; l.stages = l.stages[:len(l.stages)-1] {
		s := l.stages[len(l.stages)-1]
		if stuck {
			s.awaitDrained(lastWords)
		}
		stuck = stuck || !s.awaitDrained(0)
		for _, p := range s.parts {
			if p.close == nil {
				continue
			}
			if err := p.close(); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
			}
		}
		for _, p := range s.parts {
			if p.served != nil {
				<-p.served
			}
		}
		if s.drained != nil {
			<-s.drained
		}
	}
	return errors.Join(errs...)
}
