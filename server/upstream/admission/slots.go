package admission

import (
	"container/list"
	"context"
	"sync"
)

// slots is a semaphore whose size may change. Waiters are served in order.
type slots struct {
	size func() int

	mu      sync.Mutex
	used    int
	waiting list.List // of chan struct{}
}

// tryAcquire takes a slot if one is free and nobody waits.
func (s *slots) tryAcquire() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting.Len() > 0 || s.used >= s.size() {
		return false
	}
	s.used++
	return true
}

// acquire waits for a slot until the context ends.
func (s *slots) acquire(ctx context.Context) error {
	s.mu.Lock()
	ready := make(chan struct{})
	waiter := s.waiting.PushBack(ready)
	s.serve()
	s.mu.Unlock()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-ready: // both happened: pass the slot on
		s.used--
		s.serve()
	default:
		s.waiting.Remove(waiter)
	}
	return ctx.Err()
}

// release gives a slot back.
func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	s.serve()
}

// taken returns how many slots are in use.
func (s *slots) taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// resized serves the waiters after the size may have grown.
func (s *slots) resized() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serve()
}

// serve gives the free slots to the first waiters.
func (s *slots) serve() {
	for size := s.size(); s.used < size; s.used++ {
		first := s.waiting.Front()
		if first == nil {
			return
		}
		close(s.waiting.Remove(first).(chan struct{}))
	}
}
