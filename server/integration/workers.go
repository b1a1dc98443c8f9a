package integration

import (
	"context"
	"sync"

	"github.com/digate/digate/server/stack"
)

// workers are goroutines that do the work of a stream, each one item at a time. They last
// as long as the stream, because a new goroutine for each item would have to grow its
// stack again.
type workers[T any] struct {
	// work processes an item. It returns true if the item continues without the worker.
	work func(T) (left bool)
	// slots has a value for each busy worker.
	slots chan struct{}
	busy  sync.WaitGroup

	mu   sync.Mutex
	idle []worker[T] // the last one was busy most recently
	over bool
}

// worker receives an item when it is idle.
type worker[T any] chan T

// newWorkers returns workers, of which there are that many at most.
func newWorkers[T any](most int, work func(T) (left bool)) *workers[T] {
	return &workers[T]{work: work, slots: make(chan struct{}, most)}
}

// take waits until a worker may be given an item, or until ctx ends.
func (ws *workers[T]) take(ctx context.Context) error {
	select {
	case ws.slots <- struct{}{}:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// give has a worker that was taken work at the item: one that is idle, or a new one.
func (ws *workers[T]) give(item T) {
	ws.busy.Add(1)
	ws.mu.Lock()
	defer ws.mu.Unlock()
	last := len(ws.idle) - 1
	if last < 0 {
		w := make(worker[T], 1)
		w <- item
		go ws.run(w)
		return
	}
	ws.idle[last] <- item
	ws.idle = ws.idle[:last]
}

// leave leaves an item to its worker: nobody waits for it any more, and another worker
// may be taken in its place.
func (ws *workers[T]) leave() {
	<-ws.slots
	ws.busy.Done()
}

// wait returns when every item that was given is done or left. None may be given
// meanwhile.
func (ws *workers[T]) wait() { ws.busy.Wait() }

// end ends the workers, which are idle, about to be, or at what was left.
func (ws *workers[T]) end() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.over = true
	for _, w := range ws.idle {
		close(w)
	}
}

func (ws *workers[T]) run(w worker[T]) {
	stack.Grow()
	for item := range w {
		left := ws.work(item)
		if !left {
			ws.busy.Done()
		}
		if !ws.rest(w, left) {
			return
		}
	}
}

// rest makes the worker an idle one, unless its item was left, and reports whether there
// may be more work for it.
func (ws *workers[T]) rest(w worker[T], left bool) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.over || left { // what was left has freed its slot: another may have been made for that
		return false
	}
	ws.idle = append(ws.idle, w)
	<-ws.slots
	return true
}
