// Package streams bounds the gRPC streams that wait for their callers: for the
// message of a call, or for anything on a stream. Such a stream costs its caller
// nothing and the server a goroutine, so strangers could open them without end.
//
// A stream beyond a bound is refused at once. The bounds leave a share of the
// streams to callers whose token Diga has accepted, so that strangers do not take
// the room of those who are known. Nobody is known to the services that need no
// credential: there, the stream that is open for the longest time ends instead.
// Those that are of use end soon, and a load balancer must always be able to ask.
package streams

import (
	"container/list"
	"context"
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
)

// Kind is what a stream waits for.
type Kind uint8

const (
	// Call waits for the message of a unary call.
	Call Kind = iota
	// Stream is a stream of the contract.
	Stream
	// Open is a call of the services that need no credential.
	Open
	// Watch is a stream that tells of the server's health.
	Watch
)

// weight is how many streams a stream counts as, by what it holds.
var weight = [...]int{Call: 1, Stream: 4, Open: 1, Watch: 1}

// The bounds are shares of the gate's limit. They are small for streams whose
// caller nobody knows.
const (
	callersShare   = 2  // of one known caller, of the whole
	strangersShare = 2  // of all strangers
	strangerShare  = 8  // of the strangers of one address
	openShare      = 32 // of all calls of the open services
	openPeerShare  = 4  // of those of one address, of their own share
	watchShare     = 4  // of all watchers
	watchPeerShare = 8  // of those of one address, of their own share
)

// maxKnown bounds the callers that the gate remembers as known.
const maxKnown = 10_000

// Gate counts streams. It may be used by many goroutines.
type Gate struct {
	limit int
	seed  maphash.Seed

	mu      sync.Mutex
	all     int
	classes [classes]class
	known   map[uint64]struct{}
}

// class is a class of streams with a bound of its own, for all together and for
// each of those who open them.
type class struct {
	limit, each int
	open        int
	by          map[opener]int
	oldest      *list.List // of *ending, where streams end for others
}

// ending is an open stream that may end for another.
type ending struct {
	opener opener
	weight int
	cancel context.CancelFunc
}

const (
	ofKnown = iota
	ofStrangers
	ofOpen
	ofWatch
	classes
)

// opener is who opened a stream: a known caller, or the address of a stranger.
type opener struct {
	addr   netip.Addr
	caller uint64
}

// New returns a gate for this many streams.
func New(limit int) *Gate {
	g := &Gate{limit: limit, seed: maphash.MakeSeed(), known: make(map[uint64]struct{})}
	share := func(of, part int) int { return max(of/part, 1) }
	for i, c := range [classes]class{
		ofKnown:     {limit: limit, each: share(limit, callersShare)},
		ofStrangers: {limit: share(limit, strangersShare), each: share(limit, strangerShare)},
		ofOpen:      {limit: share(limit, openShare), each: share(limit, openShare*openPeerShare)},
		ofWatch:     {limit: share(limit, watchShare), each: share(limit, watchShare*watchPeerShare)},
	} {
		c.by = make(map[opener]int)
		if i == ofOpen || i == ofWatch {
			c.oldest = list.New()
		}
		g.classes[i] = c
	}
	return g
}

// Place is the place of an open stream. The zero Place is none.
type Place struct {
	gate   *Gate
	ending *list.Element // of its class's list
	opener opener
	class  int8
	weight int8
}

// Enter takes a place for a stream that this peer opened with this token, which is
// empty where it has none. It reports false where there is none left for it. Cancel
// ends the stream; it is called, for a stream that needs no credential, when another
// needs the place.
func (g *Gate) Enter(kind Kind, peer net.Addr, token string, cancel context.CancelFunc) (Place, bool) {
	p, end, ok := g.enter(kind, peer, token, cancel)
	if end != nil {
		end() // not under the lock, for which every call waits
	}
	return p, ok
}

// enter is Enter, but for the end of the stream that made room: end does that.
func (g *Gate) enter(kind Kind, peer net.Addr, token string, cancel context.CancelFunc) (_ Place, end context.CancelFunc, ok bool) {
	p := Place{gate: g, weight: int8(weight[kind])}
	var caller uint64
	if token != "" {
		caller = maphash.String(g.seed, token)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch _, known := g.known[caller]; {
	case kind == Open:
		p.class, p.opener.addr = ofOpen, Address(peer)
	case kind == Watch:
		p.class, p.opener.addr = ofWatch, Address(peer)
	case known:
		p.class, p.opener.caller = ofKnown, caller
	default:
		p.class, p.opener.addr = ofStrangers, Address(peer)
	}
	c, n := &g.classes[p.class], int(p.weight)
	if c.oldest != nil && cancel != nil {
		end = g.makeRoom(c, p.opener, n)
	}
	if g.all+n > g.limit || c.open+n > c.limit || c.by[p.opener]+n > c.each {
		return Place{}, end, false
	}
	g.all += n
	c.open += n
	c.by[p.opener] += n
	if c.oldest != nil && cancel != nil {
		p.ending = c.oldest.PushBack(&ending{p.opener, n, cancel})
	}
	return p, end, true
}

// makeRoom takes the place of the oldest stream of the opener, or of all, if n more
// are too many. It returns the function that ends that stream, nil if none has to.
func (g *Gate) makeRoom(c *class, o opener, n int) context.CancelFunc {
	mine := c.by[o]+n > c.each
	if !mine && c.open+n <= c.limit {
		return nil
	}
	for e := c.oldest.Front(); e != nil; e = e.Next() {
		old := e.Value.(*ending)
		if mine && old.opener != o {
			continue
		}
		c.oldest.Remove(e)
		e.Value = nil
		g.free(c, old.opener, old.weight)
		return old.cancel
	}
	return nil
}

// free takes n streams of the opener from the counts.
func (g *Gate) free(c *class, o opener, n int) {
	g.all -= n
	c.open -= n
	if c.by[o] -= n; c.by[o] == 0 {
		delete(c.by, o)
	}
}

// Leave gives the place back.
func (p Place) Leave() {
	g := p.gate
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	c := &g.classes[p.class]
	if p.ending != nil {
		if p.ending.Value == nil {
			return // it made room, and gave its place to another
		}
		c.oldest.Remove(p.ending)
	}
	g.free(c, p.opener, int(p.weight))
}

// Know remembers that Diga accepted the token.
func (g *Gate) Know(token string) {
	caller := maphash.String(g.seed, token)
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.known[caller]; known {
		return
	}
	if len(g.known) >= maxKnown {
		for old := range g.known { // any: it is known again with its next call
			delete(g.known, old)
			break
		}
	}
	g.known[caller] = struct{}{}
}

// Address returns the address that a peer is counted by: of IPv6 the network of
// 64 bits, all of which one host may have. It is the zero address for a peer that has
// none.
func Address(peer net.Addr) netip.Addr {
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
