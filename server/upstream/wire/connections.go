package wire

import (
	"net"
	"sync"
)

// Connections holds the open connections of a transport, so that all of them can
// be ended at once.
type Connections struct {
	mu   sync.Mutex
	open map[net.Conn]struct{}
	over bool // cut
}

// add adds a connection and reports whether it did: after a cut it does not.
func (s *Connections) add(c net.Conn) bool {
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

func (s *Connections) remove(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// Cut ends every connection. No other can begin afterwards.
func (s *Connections) Cut() {
	s.mu.Lock()
	s.over = true
	open := s.open
	s.open = nil
	s.mu.Unlock()
	for c := range open {
		_ = c.Close()
	}
}
