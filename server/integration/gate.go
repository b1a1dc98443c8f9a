package integration

import "sync"

// gate counts those who are inside, and can be closed to those who come later.
type gate struct {
	mu     sync.Mutex
	inside int
	idle   chan struct{} // closed when the gate is closed and nobody is inside; nil while the gate is open
}

// enter reports whether the gate was open. Whoever got in has to leave.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.idle != nil {
		return false
	}
	g.inside++
	return true
}

// leave ends what enter began.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.idle != nil {
		close(g.idle)
	}
}

// busy reports whether anybody is inside.
func (g *gate) busy() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside > 0
}

// close lets nobody in any more. The channel is closed once everybody has left.
// close may be called once.
func (g *gate) close() (idle <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.idle = make(chan struct{})
	if g.inside == 0 {
		close(g.idle)
	}
	return g.idle
}
