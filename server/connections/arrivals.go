package connections

import (
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"

	"github.com/digate/digate/server/peers"
)

// gRPC holds what has arrived of a message, or of a call's header, until it is whole, and
// a client may send all of many large ones but their last bytes. That is bounded over all
// connections on which nobody is known: beyond it, the one with the most is closed.
//
// A part of a message counts as its bytes, and partOverhead for the buffer that it has.
const partOverhead = 128

// Arrivals counts what has arrived, on all connections on which nobody is known, of
// messages and headers that are not whole.
type Arrivals struct {
	limit  int64
	total  atomic.Int64
	closed atomic.Uint64

	mu sync.Mutex
	on map[*arriving]struct{} // the connections on which any has
}

// NewArrivals returns a count that is bounded, in bytes.
func NewArrivals(limit int64) *Arrivals {
	return &Arrivals{limit: limit, on: make(map[*arriving]struct{})}
}

// ArrivalsLoad is how much has arrived, in bytes.
type ArrivalsLoad struct {
	Bytes, Limit int64
	// Closed counts the connections that were closed for the bound.
	Closed uint64
}

// Load returns the load.
func (s *Arrivals) Load() ArrivalsLoad {
	return ArrivalsLoad{Bytes: s.total.Load(), Limit: s.limit, Closed: s.closed.Load()}
}

// arriving counts what has arrived on one connection.
type arriving struct {
	all   *Arrivals
	peer  *peers.Peer
	close func() // closes the connection

	mu      sync.Mutex
	streams map[uint32]int64
	total   int64
	ended   bool
}

// receive sees the header of a frame of the client's.
func (a *arriving) receive(kind http2.FrameType, flags http2.Flags, stream uint32, length int) {
	header := kind == http2.FrameHeaders || kind == http2.FrameContinuation
	switch {
	case header && !flags.Has(http2.FlagHeadersEndHeaders), kind == http2.FrameData && !flags.Has(http2.FlagDataEndStream):
		if a.peer.Known() {
			a.end()
			return
		}
		a.add(stream, int64(length)+partOverhead)
	case kind == http2.FrameData, kind == http2.FrameRSTStream, kind == http2.FrameContinuation,
		kind == http2.FrameHeaders && flags.Has(http2.FlagHeadersEndStream):
		a.done(stream)
	}
}

// send sees the header of a frame of the server's.
func (a *arriving) send(kind http2.FrameType, flags http2.Flags, stream uint32) {
	if kind == http2.FrameRSTStream || kind == http2.FrameHeaders && flags.Has(http2.FlagHeadersEndStream) {
		a.done(stream)
	}
}

// add counts what has arrived on a stream.
func (a *arriving) add(stream uint32, n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return
	}
	if a.streams == nil {
		a.streams = make(map[uint32]int64)
		a.all.mu.Lock()
		a.all.on[a] = struct{}{}
		a.all.mu.Unlock()
	}
	a.streams[stream] += n
	a.total += n
	a.all.total.Add(n)
}

// done takes a stream from the count: its message is whole, or never will be.
func (a *arriving) done(stream uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n, ok := a.streams[stream]; ok {
		delete(a.streams, stream)
		a.total -= n
		a.all.total.Add(-n)
	}
}

// end takes all from the count, for good.
func (a *arriving) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return
	}
	a.all.total.Add(-a.total)
	a.streams, a.total, a.ended = nil, 0, true
	a.all.mu.Lock()
	delete(a.all.on, a)
	a.all.mu.Unlock()
}

// size returns how much is counted.
func (a *arriving) size() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.total
}

// relieve closes the connection on which most has arrived, while it is too much.
func (s *Arrivals) relieve() {
	for s.total.Load() > s.limit {
		var (
			most *arriving
			size int64
		)
		for _, a := range s.list() {
			if n := a.size(); n > size {
				most, size = a, n
			}
		}
		if most == nil {
			return
		}
		most.end()
		s.closed.Add(1)
		most.close()
	}
}

// list returns the connections on which anything has arrived. A connection's lock is
// taken before that of all, so nothing of theirs is asked under the latter.
func (s *Arrivals) list() []*arriving {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*arriving, 0, len(s.on))
	for a := range s.on {
		list = append(list, a)
	}
	return list
}
