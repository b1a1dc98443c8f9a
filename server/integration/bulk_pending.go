package integration

import "sync"

// pending counts the copies whose results the stream has not taken yet, and can be
// closed to more.
type pending struct {
	mu    sync.Mutex
	count int
	idle  chan struct{} // closed when there are no copies and can be none; nil before close
}

// add adds a copy, unless it is too late for more, and reports whether it did.
func (p *pending) add() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle != nil {
		return false
	}
	p.count++
	return true
}

// done takes away a copy that was added.
func (p *pending) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count--; p.count == 0 && p.idle != nil {
		close(p.idle)
	}
}

// some reports whether there are copies.
func (p *pending) some() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count > 0
}

// close ends the adding. The channel is closed once there are no copies. close may be
// called once.
func (p *pending) close() (idle <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = make(chan struct{})
	if p.count == 0 {
		close(p.idle)
	}
	return p.idle
}
