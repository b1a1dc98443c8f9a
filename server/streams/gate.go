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
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/digate/digate/server/callers"
	"github.com/digate/digate/server/peers"
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

// Gate counts streams. It may be used by many goroutines.
type Gate struct {
	callers *callers.Known
	limit   int
	all     atomic.Int64
	classes [classes]class
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

// New returns a gate for this many streams. Known are the callers whom strangers leave room.
func New(limit int, known *callers.Known) *Gate {
	g := &Gate{limit: limit, callers: known}
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

// Enter takes a slot for a stream that a peer opened with a token, which is empty where
// it has none. It reports false where no slot is left for it. Cancel ends the stream; it
// is called, for a stream that needs no credential, when another stream gets the slot.
func (g *Gate) Enter(kind Class, peer net.Addr, token string, cancel context.CancelFunc) (Slot, bool) {
	c, o := &g.classes[ofStrangers], opener{}
	switch kind {
	case Open:
		c = &g.classes[ofOpen]
	case Watch:
		c = &g.classes[ofWatch]
	default:
		if caller, known := g.callers.Find(token); known {
			c, o.caller = &g.classes[ofKnown], caller
		}
	}
	if c != &g.classes[ofKnown] {
		o.addr = peers.Address(peer)
	}
	slot, end, ok := c.enter(o, weight[kind], peer, cancel)
	if end != nil {
		end() // not under the lock, for which others wait
	}
	return slot, ok
}

// take adds n to the number of all streams, and reports whether there was room.
func (g *Gate) take(n int) bool {
	if g.all.Add(int64(n)) > int64(g.limit) {
		g.all.Add(int64(-n))
		return false
	}
	return true
}

// Leave gives the slot back. It may be called once.
func (s Slot) Leave() {
	if s.class != nil {
		s.class.leave(s)
	}
}
