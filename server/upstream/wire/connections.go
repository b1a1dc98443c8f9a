package wire

import (
	"net"
	"sync"
	"sync/atomic"
)

// Connections holds the open connections of a transport, so that all of them can
// be ended at once, and counts them.
type Connections struct {
	awaited, undialed atomic.Int64

	mu     sync.Mutex
	open   map[*connection]struct{}
	over   bool // cut
	opened uint64
	closed [endings]uint64
}

// Load is what connections there are at this moment, and what there was.
type Load struct {
	// InUse counts those that a request has, and Idle all others.
	InUse, Idle int
	// Awaited counts the requests that wait for one.
	Awaited int
	// Dials counts those that were begun by what came of it, connected or failed, and
	// Closed those that ended by the reason: idle, upstream or failed.
	Dials, Closed map[string]uint64
}

// Load returns the load.
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

// add adds a connection and reports whether it did: after a cut it does not.
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

// remove removes a connection that ends.
func (s *Connections) remove(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.open[c]; ok {
		delete(s.open, c)
		s.closed[c.conclude()]++
	}
}

// dialed counts a failure to connect.
func (s *Connections) dialed(c net.Conn, err error) (net.Conn, error) {
	if err != nil {
		s.undialed.Add(1)
	}
	return c, err
}

// Retire notes that the connections that no request has are about to be closed because
// nobody needs them.
func (s *Connections) Retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		if c.users.Load() == 0 {
			c.endsBy(endedIdle)
		}
	}
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
