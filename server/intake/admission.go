package intake

import (
	"context"
	"net"
	"sync"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/peers"
	"github.com/digate/digate/server/streams"
)

// slot is a stream's slot in the gate. It was taken when the stream's header arrived or
// when its handler began.
type slot struct {
	early *earlySlot
	late  streams.Slot
}

func (s slot) leave() {
	if s.early != nil {
		s.early.stop()
		s.early.leave()
		return
	}
	s.late.Leave()
}

// earlySlot is a slot that was taken when the header of a call arrived.
type earlySlot struct {
	slot streams.Slot
	once sync.Once
	stop func() bool
}

func (s *earlySlot) leave() { s.once.Do(s.slot.Leave) }

// slotKey is the context key of a call's early slot. The slot is nil for a call that got
// none.
type slotKey struct{}

// Admit takes a slot for a call whose header has arrived, or refuses the call. A known
// caller gets its slot when the handler begins, which costs less. A call to a service
// that needs no credential may be ended to make room for another.
func (i *Intake) Admit(ctx context.Context, method string) (context.Context, error) {
	open := contract.Open(method)
	if i.Gate == nil {
		return ctx, nil
	}
	if !open && i.Callers.Has(token(ctx)) {
		peers.MarkKnown(address(ctx))
		return ctx, nil
	}
	var cancel context.CancelFunc
	if open {
		ctx, cancel = context.WithCancel(ctx)
	}
	peer := address(ctx)
	taken, ok := i.Gate.Enter(i.kind(method), peer, token(ctx), cancel)
	if !ok {
		if cancel != nil {
			cancel()
		}
		if !open && peers.Courtesy(peer) {
			return context.WithValue(ctx, slotKey{}, (*earlySlot)(nil)), nil // its handler refuses it, with a trailer
		}
		return nil, apierror.TooManyStreams()
	}
	early := &earlySlot{slot: taken}
	ctx = context.WithValue(ctx, slotKey{}, early)
	early.stop = context.AfterFunc(ctx, early.leave) // gRPC may end the call before its handler begins
	return ctx, nil
}

// enter returns the slot of a call whose handler begins. It returns false if there is
// none.
func (i *Intake) enter(ctx context.Context, method string) (slot, bool) {
	if early, asked := ctx.Value(slotKey{}).(*earlySlot); asked {
		return slot{early: early}, early != nil
	}
	if i.Gate == nil {
		return slot{}, true
	}
	taken, ok := i.Gate.Enter(i.kind(method), address(ctx), token(ctx), nil)
	return slot{late: taken}, ok
}

// kind returns the class of streams that a stream of the method belongs to.
func (i *Intake) kind(method string) streams.Class {
	switch {
	case method == healthv1.Health_Watch_FullMethodName:
		return streams.Watch
	case contract.Open(method):
		return streams.Open
	case i.unaryMethods[method]:
		return streams.Call
	default:
		return streams.Stream
	}
}

func address(ctx context.Context) net.Addr {
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr
	}
	return nil
}

// token returns the key of the caller in the context. It is empty if there is no caller.
func token(ctx context.Context) string {
	if p := authn.FromContext(ctx); p != nil {
		return p.Key()
	}
	return ""
}

type refusalKey struct{}

// Refuse returns the context of a call that fails with the error as soon as its handler
// begins. Only the interceptors of the intake see such a call.
func Refuse(ctx context.Context, err error) context.Context {
	return context.WithValue(ctx, refusalKey{}, err)
}

// refusalOf returns the error with which a call must fail, or nil.
func refusalOf(ctx context.Context) error {
	err, _ := ctx.Value(refusalKey{}).(error)
	return err
}
