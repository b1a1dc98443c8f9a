package upstream

import (
	"net"
	"sync"
)

// connections are those that are open, so that they can be ended all at once.
type connections struct {
	mu   sync.Mutex
	open map[net.Conn]struct{}
	over bool
}

// add takes a connection in, and says false where all were ended already.
func (s *connections) add(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	if s.open == nil {
		s.open = make(map[net.Conn]struct{})
	}
	s.open[c] = struct{}{}
	return true
}

func (s *connections) remove(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// cut ends every connection, and lets no other begin.
func (s *connections) cut() {
	s.mu.Lock()
	s.over = true
	open := s.open
	s.open = nil
	s.mu.Unlock()
	for c := range open {
		_ = c.Close()
	}
}
