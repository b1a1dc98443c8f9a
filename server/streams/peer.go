package streams

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// A connection may make endBurst streams end for its own, and then one each
// endInterval: as many as a load balancer that asks for the server's health needs,
// and too few to keep the server busy with opening and ending.
const (
	endBurst    = 4
	endInterval = time.Second
)

// Peer is the address of a connection's other side, and what the connection did to
// others. A connection must have one Peer for its life.
type Peer struct {
	net.Addr
	counted netip.Addr

	mu    sync.Mutex
	until time.Time // when the credit is whole again
}

// NewPeer returns the peer of a connection from this address.
func NewPeer(addr net.Addr) *Peer { return &Peer{Addr: addr, counted: Address(addr)} }

// mayEndAnother reports whether one more stream may end for one of this peer, and
// counts it. What is no [Peer] may always.
func mayEndAnother(addr net.Addr) bool {
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
	if p.until.Sub(now) > (endBurst-1)*endInterval {
		return false
	}
	p.until = p.until.Add(endInterval)
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
	a := tcp.AddrPort().Addr().Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
