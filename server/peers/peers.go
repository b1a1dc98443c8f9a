// Package peers knows the other side of a connection: the address that it is counted by,
// and what the connection did to others.
package peers

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// A connection that is beyond its bounds is still shown so many courtesies at once,
// and then one each courtesyInterval: a stream of others ends for its own, or it hears
// all about a refusal. These are as many as a load balancer that asks for the server's
// health needs, and too few to keep the server busy.
const (
	courtesies       = 4
	courtesyInterval = time.Second
)

// Peer is the address of a connection's other side, and what the connection did to
// others. A connection must have one Peer for its life.
type Peer struct {
	net.Addr
	counted netip.Addr
	known   atomic.Bool
	asked   atomic.Bool

	mu    sync.Mutex
	until time.Time // when the credit is whole again
}

// New returns the peer of a connection from this address.
func New(addr net.Addr) *Peer { return &Peer{Addr: addr, counted: Address(addr)} }

// Known reports whether a caller whose token Diga accepted called on the connection.
func (p *Peer) Known() bool { return p.known.Load() }

// MarkKnown remembers that a caller whose token Diga accepted called on the connection.
// It does nothing for an address that is no [Peer].
func MarkKnown(addr net.Addr) {
	if p, ok := addr.(*Peer); ok && !p.Known() {
		p.known.Store(true)
	}
}

// AskedOfCopies reports whether a call on the connection was about the copy of another
// call.
func (p *Peer) AskedOfCopies() bool { return p.asked.Load() }

// MarkAskedOfCopies remembers that a call on the connection is about the copy of another call.
// It does nothing for an address that is no [Peer].
func MarkAskedOfCopies(addr net.Addr) {
	if p, ok := addr.(*Peer); ok {
		p.asked.Store(true)
	}
}

// Courtesy reports whether a connection is shown one more courtesy, and counts it. It
// is always for an address that is no [Peer].
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

// Address returns the address that a peer is counted by: of IPv6 the network of
// 64 bits, all of which one host may have. It is the zero address for a peer that has
// none.
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
