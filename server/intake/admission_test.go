package intake

import (
	"context"
	"net"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/callers"
	"github.com/digate/digate/server/peers"
	"github.com/digate/digate/server/streams"
)

// gated returns bounds with one stream of an address.
func gated() Bounds {
	known := callers.New()
	return Bounds{Gate: streams.New(32, known), Callers: known}
}

// from returns the context of a stranger's call from the address.
func from(ctx context.Context, addr net.Addr) context.Context {
	return peer.NewContext(ctx, &peer.Peer{Addr: addr})
}

// admitted reports whether a stream of the stranger got a slot.
func admitted(ctx context.Context, t *testing.T, i *Intake) bool {
	t.Helper()
	ctx, err := i.Admit(ctx, "/x.Y/Z")
	if err != nil {
		return false
	}
	p, ok := ctx.Value(slotKey{}).(*earlySlot)
	return ok && p != nil
}

// gRPC may end a call before its handler begins.
func TestAdmit_CallEndsBeforeItsHandler_GivesItsSlotBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := New(gated())
		addr := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}
		ctx, cancel := context.WithCancel(from(t.Context(), addr))
		if !admitted(ctx, t, i) || admitted(from(t.Context(), addr), t, i) {
			t.Fatal("not one stream of the address has a slot")
		}
		cancel()
		synctest.Wait()
		if !admitted(from(t.Context(), addr), t, i) {
			t.Error("the slot was not given back")
		}
	})
}

// A refusal with a trailer costs a handler, so a connection gets few of them at once.
func TestAdmit_StrangerBeyondItsBound_IsToldAFewTimesAndThenOnlyRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := New(gated())
		stranger := from(t.Context(), peers.New(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}))
		if !admitted(stranger, t, i) {
			t.Fatal("the first stream got no slot")
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

// The metric counts streams, not how often one asks.
func TestAdmit_StrangerBeyondItsBound_IsRefusedOnce(t *testing.T) {
	i := New(gated())
	stranger := from(t.Context(), &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)})
	if !admitted(stranger, t, i) {
		t.Fatal("the first stream got no slot")
	}
	ctx, err := i.Admit(stranger, "/x.Y/Z")
	if err != nil {
		t.Fatal(err)
	}
	err = i.BoundStreams(nil, streamOf{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: "/x.Y/Z"}, nil)
	if apierror.FromError(err).Reason != apierror.ReasonTooManyStreams {
		t.Errorf("its handler: %v", err)
	}
	for _, l := range i.Gate.Load() {
		if want := map[string]uint64{"strangers": 1}[l.Class]; l.Refused != want {
			t.Errorf("%s: %d were refused, want %d", l.Class, l.Refused, want)
		}
	}
}

// streamOf is a stream with a context.
type streamOf struct {
	grpc.ServerStream
	ctx context.Context
}

func (s streamOf) Context() context.Context { return s.ctx }

func TestBoundStreams_HandlerReturns_GivesTheSlotBack(t *testing.T) {
	i := New(gated())
	ss := streamOf{ctx: from(t.Context(), &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)})}
	bound := func(handler grpc.StreamHandler) error {
		return i.BoundStreams(nil, ss, &grpc.StreamServerInfo{FullMethod: "/x.Y/Z"}, handler)
	}
	nothing := func(any, grpc.ServerStream) error { return nil }
	for range 2 {
		err := bound(func(any, grpc.ServerStream) error {
			if err := bound(nothing); apierror.FromError(err).Reason != apierror.ReasonTooManyStreams {
				t.Errorf("a second stream at once: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Errorf("one after the other: %v", err)
		}
	}
}
