package wire

import (
	"net"
	"sync"
	"sync/atomic"
)

// Connections is the set of a transport's open connections. It counts them, and can close
// all of them at once.
type Connections struct {
	awaited, undialed atomic.Int64

	mu     sync.Mutex
	open   map[*connection]struct{}
	over   bool // after Cut
	opened uint64
	closed [endings]uint64
}

// Load is the current number of connections, and counts of past ones.
type Load struct {
	// InUse is the number of connections with a request, and Idle the number of all
	// others.
	InUse, Idle int
	// Awaited is the number of requests that wait for a connection.
	Awaited int
	// Dials counts attempts to connect by result: connected or failed. Closed counts
	// closed connections by reason: idle, upstream or failed.
	Dials, Closed map[string]uint64
}

// Load returns the current load.
func (s *Connections) Load() Load {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := Load{
		Awaited: int(s.awaited.Load()), Closed: make(map[string]uint64),
		Dials: map[string]uint64{"connected": s.opened, "failed": uint64(s.undialed.Load())},
	}
	for c := range s.open {
		if c.users.Load() > 0 {
			l.InUse++
		} else {
			l.Idle++
		}
	}
	for why := endedIdle; why < endings; why++ {
		l.Closed[endingNames[why]] = s.closed[why]
	}
	return l
}

// add adds a connection. It returns false after Cut.
func (s *Connections) add(c *connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	if s.open == nil {
		s.open = make(map[*connection]struct{})
	}
	s.open[c] = struct{}{}
	s.opened++
	return true
}

// remove removes a closing connection.
func (s *Connections) remove(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.open[c]; ok {
		delete(s.open, c)
		s.closed[c.conclude()]++
	}
}

// dialed counts a failed attempt to connect.
func (s *Connections) dialed(c net.Conn, err error) (net.Conn, error) {
	if err != nil {
		s.undialed.Add(1)
	}
	return c, err
}

// Retire records that the connections without a request are about to be closed because
// they are no longer needed.
func (s *Connections) Retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		if c.users.Load() == 0 {
			c.endsBy(endedIdle)
		}
	}
}

// Cut closes all connections. No connection can be added afterwards.
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
