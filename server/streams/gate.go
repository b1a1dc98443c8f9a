// Package streams limits the gRPC streams that wait for their callers: for the message of
// a call, or for anything on a stream. Such a stream costs its caller nothing and the
// server a goroutine, so strangers could open any number of them.
//
// A stream beyond a limit is refused at once. The limits reserve a share of the streams
// for callers whose token Diga has accepted, so that strangers cannot take all of them.
// Services that need no credential do not know their callers: there, a long-open stream
// is ended for a new one, because a load balancer must always be able to check the
// server's health. A connection can make others end only now and then.
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

// Class is the class of a stream, by what it waits for.
type Class uint8

const (
	// Call waits for the message of a unary call.
	Call Class = iota
	// Stream is a stream of the contract.
	Stream
	// Open is a call to a service that needs no credential.
	Open
	// Watch is a stream that watches the server's health.
	Watch
)

// weight is the number of streams that a stream counts as, by its class.
var weight = [...]int{Call: 1, Stream: 4, Open: 1, Watch: 1}

// The limits as fractions of the gate's limit: each is a divisor. Limits for strangers
// are small.
const (
	callersShare   = 2  // one known caller, of the whole
	strangersShare = 2  // all strangers, of the whole
	strangerShare  = 8  // the strangers of one address
	openShare      = 32 // all calls to services without credentials
	openPeerShare  = 4  // those of one address, of their own share
	watchShare     = 4  // all health watchers
	watchPeerShare = 8  // those of one address, of their own share
)

// Gate counts streams. It is safe for concurrent use.
type Gate struct {
	callers *callers.Known
	limit   int
	all     atomic.Int64
	classes [classes]class
}

// The classes of streams. Each has its own limits and its own lock, so that known callers
// never wait for strangers.
const (
	ofKnown = iota
	ofStrangers
	ofOpen
	ofWatch
	classes
)

// opener is a known caller, or the address of a stranger.
type opener struct {
	addr   netip.Addr
	caller uint64
}

// New returns a gate with a limit. known are the callers for whom a share is reserved.
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

// Slot is the slot of an open stream. The zero Slot is no slot.
type Slot struct {
	class  *class
	ending *ending // nil for a stream that is never ended for others
	opener opener
	weight int
}

// Enter takes a slot for a stream that a peer opened with a token, which may be empty. It
// returns false if no slot is free. cancel must end the stream: Enter calls it for a
// stream that needs no credential when another stream gets the slot.
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

// Leave releases the slot. It may be called once.
func (s Slot) Leave() {
	if s.class != nil {
		s.class.leave(s)
	}
}
