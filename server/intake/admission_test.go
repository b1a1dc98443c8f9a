package intake

import (
	"context"
	"net"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/peer"

	"github.com/digate/digate/server/streams"
)

// from returns the context of a stranger's call from the address.
func from(ctx context.Context, addr net.Addr) context.Context {
	return peer.NewContext(ctx, &peer.Peer{Addr: addr})
}

// admitted reports whether a stream of the stranger got a place.
func admitted(t *testing.T, i *Intake, ctx context.Context) bool {
	t.Helper()
	ctx, err := i.Admit(ctx, "/x.Y/Z")
	if err != nil {
		return false
	}
	p, ok := ctx.Value(placeKey{}).(*earlyPlace)
	return ok && p != nil
}

// gRPC may end a call before its handler begins.
func TestAdmit_CallEndsBeforeItsHandler_GivesItsPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := New(Bounds{Gate: streams.New(32)}) // one stream of an address
		addr := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}
		ctx, cancel := context.WithCancel(from(t.Context(), addr))
		if !admitted(t, i, ctx) || admitted(t, i, from(t.Context(), addr)) {
			t.Fatal("not one stream of the address has a place")
		}
		cancel()
		synctest.Wait()
		if !admitted(t, i, from(t.Context(), addr)) {
			t.Error("the place was not given back")
		}
	})
}

// A refusal with a trailer costs a handler, so a connection gets few of them at once.
func TestAdmit_StrangerBeyondItsBound_IsToldAFewTimesAndThenOnlyRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := New(Bounds{Gate: streams.New(32)})
		stranger := from(t.Context(), streams.NewPeer(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}))
		if !admitted(t, i, stranger) {
			t.Fatal("the first stream got no place")
		}
		told := 0
		for range 10 {
			if _, err := i.Admit(stranger, "/x.Y/Z"); err == nil {
				told++
			}
		}
		if told != 4 {
			t.Errorf("%d of 10 streams are refused by their handlers, want 4", told)
		}
	})
}
