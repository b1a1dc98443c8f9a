package integration

import "sync"

// pending counts the copies whose results the stream has not accepted yet. After close,
// no copies can be added.
type pending struct {
	mu    sync.Mutex
	count int
	idle  chan struct{} // closed when there are no copies and close was called; nil before close
}

// add adds a copy. It returns false after close.
func (p *pending) add() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle != nil {
		return false
	}
	p.count++
	return true
}

// done removes a copy.
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

// close permits no more copies. The returned channel is closed once there are no copies
// left. close may be called once.
func (p *pending) close() (idle <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = make(chan struct{})
	if p.count == 0 {
		close(p.idle)
	}
	return p.idle
}
