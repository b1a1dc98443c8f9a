// Package lifecycle starts the parts of a server and ends them in order: a part ends
// before the parts that it depends on.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Part is something that a server starts and must end. Each hook may be nil.
type Part struct {
	Name string
	// Serve runs until the context ends, or until Drain or Close ends it.
	Serve func(ctx context.Context) error
	// Drain stops accepting work and returns when no work is in progress. It must also
	// return after Close.
	Drain func()
	// Cut makes the work in progress fail, so that its callers get an outcome.
	Cut func()
	// Close releases the part's resources. It is called once, with or without a Drain
	// before, and even if Serve was never called.
	Close func() error

	served chan struct{} // closed when Serve has returned; nil if it was never called
}

// AwaitServed returns when Serve has returned. A Drain can use it.
func (p *Part) AwaitServed() { <-p.served }

// stage is a set of parts that drain at the same time: a part with long work must not
// keep the others open, or take the time that they need.
type stage struct {
	parts   []*Part
	drained chan struct{}
}

// Stack is a stack of stages. Each stage depends on those pushed before it, so the last
// one drains and closes first. It belongs to one goroutine at a time.
type Stack struct {
	stages []*stage
}

// Push adds a stage on top.
func (l *Stack) Push(parts ...*Part) {
	l.stages = append(l.stages, &stage{parts: parts})
}

// lastWords is how long cut calls have to send their errors.
const lastWords = time.Second

// Run serves all parts until the context ends or a part fails. Then it drains them from
// the top down, at most for the timeout. When Run returns, all parts have stopped and
// released their resources. The error is that of the part that failed first, or says that
// work was cut.
func (l *Stack) Run(ctx context.Context, timeout time.Duration) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range l.stages {
		for _, p := range s.parts {
			if p.Serve == nil {
				continue
			}
			p.served = make(chan struct{})
			g.Go(func() error {
				defer close(p.served)
				if err := p.Serve(ctx); err != nil {
					return fmt.Errorf("%s: %w", p.Name, err)
				}
				return nil
			})
		}
	}
	g.Go(func() error {
		<-ctx.Done()
		cut := l.drain(timeout)
		return errors.Join(cut, l.Close())
	})
	return g.Wait()
}

// drain drains the stages from the top down. If the timeout passes first, it cuts the
// work in progress and returns an error.
func (l *Stack) drain(timeout time.Duration) error {
	stages := l.stages // Close removes them from the stack meanwhile
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
			if p.Cut != nil {
				p.Cut()
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
		if p.Drain != nil {
			wg.Go(p.Drain)
		}
	}
	wg.Wait()
}

// awaitDrained waits for the end of the stage's drain, at most for the timeout. It
// reports whether the stage is drained or was never asked to drain.
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

// Close closes the stages from the top down. When a stage closes, nothing of the stage
// above is running any more. The stack is empty afterwards.
//
// A stage that is still draining is closed at once. The stages below it could not drain
// before, so each of them gets lastWords to do so.
func (l *Stack) Close() error {
	var errs []error
	stuck := false
	for ; len(l.stages) > 0; l.stages = l.stages[:len(l.stages)-1] {
		s := l.stages[len(l.stages)-1]
		if stuck {
			s.awaitDrained(lastWords)
		}
		stuck = stuck || !s.awaitDrained(0)
		for _, p := range s.parts {
			if p.Close == nil {
				continue
			}
			if err := p.Close(); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", p.Name, err))
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
