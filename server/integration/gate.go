package integration

import "sync"

// gate counts what goes on behind it, and can be closed to what comes next.
type gate struct {
	mu     sync.Mutex
	inside int
	idle   chan struct{} // closed when it is closed and nothing is inside; nil while it is open
}

// enter says whether there was a way in; whoever got in has to leave.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.idle != nil {
		return false
	}
	g.inside++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.idle != nil {
		close(g.idle)
	}
}

// busy says whether anything is inside.
func (g *gate) busy() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside > 0
}

// close lets nothing in any more. The channel is closed when all have left. It
// is called once.
func (g *gate) close() (idle <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.idle = make(chan struct{})
	if g.inside == 0 {
		close(g.idle)
	}
	return g.idle
}
