package wire

import (
	"slices"
	"sync"
	"time"
)

// pool keeps connections between their exchanges.
type pool struct {
	timeout time.Duration

	mu      sync.Mutex
	idle    []*directConn      // in the order in which they became idle
	waiting []chan *directConn // for a connection, the first for the next
	reaper  *time.Timer        // nil while none is idle
	closed  bool
}

// take takes the connection that became idle last. If there is none, the next one comes
// on the channel, until it is given back with leave.
func (p *pool) take() (*directConn, chan *directConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle) - 1
	if n < 0 || time.Since(p.idle[n].since) >= p.timeout { // the reaper closes the rest
		next := make(chan *directConn, 1)
		p.waiting = append(p.waiting, next)
		return nil, next
	}
	c := p.idle[n]
	p.idle[n] = nil
	p.idle = p.idle[:n]
	return c, nil
}

// leave ends waiting. It returns the connection that has come, nil if none has.
func (p *pool) leave(next chan *directConn) *directConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, next); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		return nil
	}
	return <-next
}

// give gives a new connection to whom it was made for, if he still waits.
func (p *pool) give(c *directConn, next chan *directConn) {
	p.mu.Lock()
	if i := slices.Index(p.waiting, next); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		p.mu.Unlock()
		next <- c
		return
	}
	p.mu.Unlock()
	p.put(c)
}

// put keeps a connection for another exchange.
func (p *pool) put(c *directConn) {
	c.since, c.reused = time.Now(), true
	c.socket.users.Store(0)
	if !p.keep(c) {
		c.socket.endsBy(endedIdle)
		_ = c.Close()
	}
}

func (p *pool) keep(c *directConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) > 0 {
		p.waiting[0] <- c
		p.waiting = slices.Delete(p.waiting, 0, 1)
		return true
	}
	if p.closed || len(p.idle) >= idlePool {
		return false
	}
	p.idle = append(p.idle, c)
	if p.reaper == nil {
		p.reaper = time.AfterFunc(p.timeout, p.reap)
	}
	return true
}

// reap closes the connections that have been idle for too long.
func (p *pool) reap() {
	p.mu.Lock()
	n := 0
	for n < len(p.idle) && time.Since(p.idle[n].since) >= p.timeout {
		n++
	}
	old := slices.Clone(p.idle[:n])
	p.idle = slices.Delete(p.idle, 0, n)
	if p.reaper = nil; len(p.idle) > 0 {
		p.reaper = time.AfterFunc(time.Until(p.idle[0].since.Add(p.timeout)), p.reap)
	}
	p.mu.Unlock()
	closeAll(old)
}

// close closes the idle connections, and the others at the end of their exchange.
func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	if p.reaper != nil {
		p.reaper.Stop()
	}
	p.mu.Unlock()
	closeAll(idle)
}

// closeAll closes connections that nobody needs. Over TLS each writes that it ends, so
// nobody may wait for it.
func closeAll(all []*directConn) {
	for _, c := range all {
		c.socket.endsBy(endedIdle)
		_ = c.Close()
	}
}
