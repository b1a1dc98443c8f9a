package wire

import (
	"slices"
	"sync"
	"time"
)

// pool keeps idle connections.
type pool struct {
	timeout time.Duration

	mu      sync.Mutex
	idle    []*directConn      // the longest idle first
	waiting []chan *directConn // for a connection; the first gets the next one
	reaper  *time.Timer        // nil while no connection is idle
	closed  bool
}

// take returns the connection that became idle last. If there is none, it returns a
// channel on which the next one comes, until leave is called.
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

// leave stops waiting on the channel. It returns the connection that has arrived on it,
// or nil.
func (p *pool) leave(next chan *directConn) *directConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, next); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		return nil
	}
	return <-next
}

// give gives a new connection to the exchange that dialed it, if it still waits, and
// otherwise to the pool.
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

// put makes a connection available to another exchange.
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

// close closes the idle connections now, and the others at the end of their exchange.
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

// closeAll closes connections in the background: over TLS, closing writes an alert, which
// may block.
func closeAll(all []*directConn) {
	for _, c := range all {
		c.socket.endsBy(endedIdle)
		_ = c.Close()
	}
}
