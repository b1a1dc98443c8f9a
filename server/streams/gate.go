// Package streams bounds the gRPC streams that wait for their callers: for the
// message of a call, or for anything on a stream. Such a stream costs its caller
// nothing and the server a goroutine, so strangers could open them without end.
//
// A stream beyond a bound is refused at once. The bounds leave a share of the
// streams to callers whose token Diga has accepted, so that strangers do not take
// the room of those who are known. Nobody is known to the services that need no
// credential: there, a stream that is open for long ends for a new one, because a
// load balancer must always be able to ask. A connection can make others end only
// now and then.
package streams

import (
	"container/list"
	"context"
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Class is what a stream waits for.
type Class uint8

const (
	// Call waits for the message of a unary call.
	Call Class = iota
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
	all   atomic.Int64

	classes [classes]class

	mu    sync.RWMutex
	known map[uint64]struct{}
}

// The classes of streams. Each has bounds of its own, and a lock of its own: nobody
// who is known waits for strangers.
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
	for i, c := range [classes]struct {
		limit, each int
		ends        bool
	}{
		ofKnown:     {limit, share(limit, callersShare), false},
		ofStrangers: {share(limit, strangersShare), share(limit, strangerShare), false},
		ofOpen:      {share(limit, openShare), share(limit, openShare*openPeerShare), true},
		ofWatch:     {share(limit, watchShare), share(limit, watchShare*watchPeerShare), true},
	} {
		g.classes[i] = class{gate: g, limit: c.limit, each: c.each, by: make(map[opener]int)}
		if c.ends {
			g.classes[i].ending = make(map[opener]*list.List)
		}
	}
	return g
}

// Slot is the slot of an open stream. The zero Slot is none.
type Slot struct {
	class  *class
	ending *ending // nil for a stream that does not end for others
	opener opener
	weight int
}

// Enter takes a place for a stream that this peer opened with this token, which is
// empty where it has none. It reports false where there is none left for it. Cancel
// ends the stream; it is called, for a stream that needs no credential, when another
// needs the place.
func (g *Gate) Enter(kind Class, peer net.Addr, token string, cancel context.CancelFunc) (Slot, bool) {
	c, o := &g.classes[ofStrangers], opener{}
	switch caller := g.Caller(token); {
	case kind == Open:
		c = &g.classes[ofOpen]
	case kind == Watch:
		c = &g.classes[ofWatch]
	case g.knows(caller):
		c, o.caller = &g.classes[ofKnown], caller
	}
	if c != &g.classes[ofKnown] {
		o.addr = Address(peer)
	}
	p, end, ok := c.enter(o, weight[kind], peer, cancel)
	if end != nil {
		end() // not under the lock, for which others wait
	}
	return p, ok
}

// take adds n to the number of all streams, if there is room.
func (g *Gate) take(n int) bool {
	if g.all.Add(int64(n)) > int64(g.limit) {
		g.all.Add(int64(-n))
		return false
	}
	return true
}

// Leave gives the place back. It may be called once.
func (p Slot) Leave() {
	if p.class != nil {
		p.class.leave(p)
	}
}

// Caller returns a number for the caller with a token, 0 for none. It is another one in
// each process.
func (g *Gate) Caller(token string) uint64 {
	if token == "" {
		return 0
	}
	return maphash.String(g.seed, token)
}

func (g *Gate) knows(caller uint64) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	_, known := g.known[caller]
	return known
}

// Knows reports whether Diga accepted the token.
func (g *Gate) Knows(token string) bool { return token != "" && g.knows(g.Caller(token)) }

// Identify returns a number for whoever calls: for the caller, if Diga accepted its
// token, and else for its address. It reports which.
func (g *Gate) Identify(peer net.Addr, token string) (id uint64, known bool) {
	if g.Knows(token) {
		return g.Caller(token), true
	}
	return maphash.Comparable(g.seed, Address(peer)), false
}

// Know remembers that Diga accepted the token.
func (g *Gate) Know(token string) {
	caller := g.Caller(token)
	if g.knows(caller) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.known) >= maxKnown {
		for old := range g.known { // any: it is known again with its next call
			delete(g.known, old)
			break
		}
	}
	g.known[caller] = struct{}{}
}
