package connections

import (
	"net"
	"testing"

	"golang.org/x/net/http2"

	"github.com/digate/digate/server/peers"
)

// arrivingOf returns what arrives on a connection, and how often it was closed.
func arrivingOf(all *Arrivals) (a *arriving, closed *int) {
	closed = new(int)
	return &arriving{all: all, peer: peers.New(&net.TCPAddr{}), close: func() { *closed++ }}, closed
}

func TestArrivals_MessageThatEndsInAnyWay_CountsNoLonger(t *testing.T) {
	all := NewArrivals(1 << 20)
	a, _ := arrivingOf(all)
	for name, end := range map[string]func(uint32){
		"its last part": func(s uint32) { a.receive(http2.FrameData, http2.FlagDataEndStream, s, 10) },
		"a trailer": func(s uint32) {
			a.receive(http2.FrameHeaders, http2.FlagHeadersEndStream|http2.FlagHeadersEndHeaders, s, 10)
		},
		"a reset":        func(s uint32) { a.receive(http2.FrameRSTStream, 0, s, 4) },
		"a status":       func(s uint32) { a.send(http2.FrameHeaders, http2.FlagHeadersEndStream, s) },
		"a server reset": func(s uint32) { a.send(http2.FrameRSTStream, 0, s) },
	} {
		a.receive(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 5, 100)
		a.receive(http2.FrameData, 0, 5, 1000)
		a.receive(http2.FrameData, 0, 7, 500)
		if got, want := all.total.Load(), int64(1500+2*partOverhead); got != want {
			t.Errorf("%s: before it, %d bytes count, want %d", name, got, want)
		}
		end(5)
		a.send(http2.FrameHeaders, 0, 7)
		if got, want := all.total.Load(), int64(500+partOverhead); got != want {
			t.Errorf("%s: %d bytes count, want %d", name, got, want)
		}
		end(7)
		end(9)
	}
	a.receive(http2.FrameHeaders, 0, 9, 100)
	a.receive(http2.FrameContinuation, 0, 9, 100)
	if got, want := all.total.Load(), int64(200+2*partOverhead); got != want {
		t.Errorf("of a header, %d bytes count, want %d", got, want)
	}
	a.receive(http2.FrameContinuation, http2.FlagContinuationEndHeaders, 9, 100)
	if all.total.Load() != 0 {
		t.Errorf("of a whole header, %d bytes count", all.total.Load())
	}
	a.receive(http2.FrameData, 0, 11, 1000)
	a.end()
	a.receive(http2.FrameData, 0, 13, 1000)
	if all.total.Load() != 0 || len(all.on) != 0 {
		t.Errorf("after the connection: %d bytes count, of %d connections", all.total.Load(), len(all.on))
	}
}

func TestArrivals_BeyondTheBound_TheConnectionWithTheMostIsClosed(t *testing.T) {
	all := NewArrivals(10_000)
	small, smallClosed := arrivingOf(all)
	large, largeClosed := arrivingOf(all)
	known, knownClosed := arrivingOf(all)
	peers.MarkKnown(known.peer)
	known.receive(http2.FrameData, 0, 1, 1<<20)
	small.receive(http2.FrameData, 0, 1, 4000)
	large.receive(http2.FrameData, 0, 1, 5000)
	if all.relieve(); *smallClosed+*largeClosed+*knownClosed != 0 {
		t.Error("a connection was closed within the bound")
	}
	large.receive(http2.FrameData, 0, 3, 5000)
	all.relieve()
	all.relieve()
	if *smallClosed != 0 || *largeClosed != 1 || *knownClosed != 0 {
		t.Errorf("closed: the small one %d times, the large one %d, that of a known caller %d", *smallClosed, *largeClosed, *knownClosed)
	}
	if got := all.Load(); got != (ArrivalsLoad{Bytes: 4000 + partOverhead, Limit: 10_000, Closed: 1}) {
		t.Errorf("%+v", got)
	}
}
