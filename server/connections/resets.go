package connections

import (
	"container/list"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// A connection that opens calls and resets them at once costs the server one call each
// and its client almost nothing (CVE-2023-44487). It may reset resetBurst calls more than
// it lets finish, and resetRate more each second, as in Node's HTTP/2 server. Beyond that
// it is closed, and the connections of its address may reset only resetBurstAfter for a
// while.
const (
	resetBurst      = 1000
	resetRate       = 33
	resetBurstAfter = 50
	resetPenalty    = time.Minute
)

// resetCredit is how many more calls a connection may reset.
type resetCredit struct {
	mu    sync.Mutex
	left  float64
	most  float64
	since time.Time // when left was computed
}

// newResetCredit returns a full credit. It never grows beyond its initial value.
func newResetCredit(burst float64) *resetCredit {
	return &resetCredit{left: burst, most: burst, since: time.Now()}
}

// spend takes resets from the credit and reports whether it was enough.
func (c *resetCredit) spend(resets int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.left = min(c.left+resetRate*now.Sub(c.since).Seconds(), c.most) - float64(resets)
	c.since = now
	return c.left >= 0
}

// earn adds the calls that finished to the credit.
func (c *resetCredit) earn(finished int) {
	if finished == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = min(c.left+float64(finished), c.most)
}

// maxPenalties bounds the addresses that are remembered.
const maxPenalties = 10_000

// penalties remember the addresses whose connections were closed for what they did.
type penalties struct {
	log *slog.Logger

	mu     sync.Mutex
	closed map[netip.Addr]*list.Element // in order
	order  list.List                    // of penalty, the oldest first
}

// penalty is the last time when a connection of an address was closed.
type penalty struct {
	peer netip.Addr
	at   time.Time
}

func newPenalties(log *slog.Logger) *penalties {
	return &penalties{log: log, closed: make(map[netip.Addr]*list.Element)}
}

// burst returns how many calls a new connection of the address may reset at once.
func (p *penalties) burst(peer netip.Addr) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.holds(peer) {
		return resetBurstAfter
	}
	return resetBurst
}

// add remembers that a connection was closed, and why. The log has a line for the first
// of an address: a client that connects again and again could fill the log otherwise.
func (p *penalties) add(peer netip.Addr, reason string) {
	p.mu.Lock()
	first := !p.holds(peer)
	if e, ok := p.closed[peer]; ok {
		p.order.Remove(e)
	} else if p.order.Len() >= maxPenalties {
		// The oldest alone: whoever has many addresses must not wipe the penalties of all.
		oldest := p.order.Remove(p.order.Front()).(penalty)
		delete(p.closed, oldest.peer)
	}
	p.closed[peer] = p.order.PushBack(penalty{peer, time.Now()})
	p.mu.Unlock()
	if first {
		p.log.Warn("a gRPC connection was closed: "+reason, "peer", peer.String())
	}
}

// holds reports whether a connection of the address was closed within the time of a
// penalty. The caller has the lock.
func (p *penalties) holds(peer netip.Addr) bool {
	e, ok := p.closed[peer]
	return ok && time.Since(e.Value.(penalty).at) < resetPenalty
}
