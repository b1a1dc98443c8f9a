// Package peers tracks the other side of a connection: the address by which it is
// counted, and what the connection did that affects others.
package peers

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// A connection beyond its limits still gets this many courtesies at once, and then one
// each courtesyInterval. A courtesy is that a stream of another connection ends for its
// own, or that it gets a complete error for a refusal. These numbers are enough for a
// load balancer that checks the server's health, and too few to keep the server busy.
const (
	courtesies       = 4
	courtesyInterval = time.Second
)

// Peer is the address of a connection's other side, and what the connection did that
// affects others. A connection must have the same Peer for its whole life.
type Peer struct {
	net.Addr
	counted netip.Addr
	known   atomic.Bool
	asked   atomic.Bool

	mu    sync.Mutex
	until time.Time // when the credit is full again
}

// New returns the peer of a connection from this address.
func New(addr net.Addr) *Peer { return &Peer{Addr: addr, counted: Address(addr)} }

// Known reports whether a caller whose token Diga accepted has made a call on the
// connection.
func (p *Peer) Known() bool { return p.known.Load() }

// MarkKnown records that a caller whose token Diga accepted has made a call on the
// connection. It does nothing if the address is not a [Peer].
func MarkKnown(addr net.Addr) {
	if p, ok := addr.(*Peer); ok && !p.Known() {
		p.known.Store(true)
	}
}

// AskedOfCopies reports whether a call on the connection was about the copy of another
// call.
func (p *Peer) AskedOfCopies() bool { return p.asked.Load() }

// MarkAskedOfCopies records that a call on the connection is about the copy of another
// call. It does nothing if the address is not a [Peer].
func MarkAskedOfCopies(addr net.Addr) {
	if p, ok := addr.(*Peer); ok {
		p.asked.Store(true)
	}
}

// Courtesy reports whether the connection gets another courtesy, and counts it. It always
// returns true if the address is not a [Peer].
func Courtesy(addr net.Addr) bool {
	p, ok := addr.(*Peer)
	if !ok {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.until.Before(now) {
		p.until = now
	}
	if p.until.Sub(now) > (courtesies-1)*courtesyInterval {
		return false
	}
	p.until = p.until.Add(courtesyInterval)
	return true
}

// Address returns the address by which a peer is counted. For IPv6 it is the /64 network,
// because one host may have all of its addresses. It is the zero address for a peer
// without an IP address.
func Address(peer net.Addr) netip.Addr {
	if p, ok := peer.(*Peer); ok {
		return p.counted
	}
	tcp, ok := peer.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	a := tcp.AddrPort().Addr().Unmap()
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
