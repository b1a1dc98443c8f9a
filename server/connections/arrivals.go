package connections

import (
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"

	"github.com/digate/digate/server/peers"
)

// gRPC keeps the received part of a message or header in memory until it is complete, and
// a client may hold back the last bytes of many large ones. Their size is therefore
// limited over all connections without a known caller. Beyond the limit, the connection
// with the most bytes is closed.
//
// A part of a message counts as its bytes and partOverhead, for the buffer that it has.
const partOverhead = 128

// Arrivals counts the bytes of incomplete messages and headers on all connections without
// a known caller.
type Arrivals struct {
	limit  int64
	total  atomic.Int64
	closed atomic.Uint64

	mu sync.Mutex
	on map[*arriving]struct{} // the connections with any such bytes
}

// NewArrivals returns a count with a limit in bytes.
func NewArrivals(limit int64) *Arrivals {
	return &Arrivals{limit: limit, on: make(map[*arriving]struct{})}
}

// ArrivalsLoad is the number of bytes of incomplete messages and headers.
type ArrivalsLoad struct {
	Bytes, Limit int64
	// Closed is the number of connections closed because of the limit.
	Closed uint64
}

// Load returns the current load.
func (s *Arrivals) Load() ArrivalsLoad {
	return ArrivalsLoad{Bytes: s.total.Load(), Limit: s.limit, Closed: s.closed.Load()}
}

// arriving counts the bytes on one connection.
type arriving struct {
	all   *Arrivals
	peer  *peers.Peer
	close func() // closes the connection

	mu      sync.Mutex
	streams map[uint32]int64
	total   int64
	ended   bool
}

// receive handles the header of a frame from the client.
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

// send handles the header of a frame from the server.
func (a *arriving) send(kind http2.FrameType, flags http2.Flags, stream uint32) {
	if kind == http2.FrameRSTStream || kind == http2.FrameHeaders && flags.Has(http2.FlagHeadersEndStream) {
		a.done(stream)
	}
}

// add counts bytes that have arrived on a stream.
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

// done removes a stream from the count, because its message is complete or never will be.
func (a *arriving) done(stream uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n, ok := a.streams[stream]; ok {
		delete(a.streams, stream)
		a.total -= n
		a.all.total.Add(-n)
	}
}

// end removes the connection from the count permanently.
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

// size returns the number of counted bytes.
func (a *arriving) size() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.total
}

// relieve closes the connections with the most bytes until the limit is met.
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

// list returns the connections with any bytes. The lock of a connection is taken before
// that of Arrivals, so list does not call connections while it holds the latter.
func (s *Arrivals) list() []*arriving {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*arriving, 0, len(s.on))
	for a := range s.on {
		list = append(list, a)
	}
	return list
}
