package inproc

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// address is the network address of both ends of a Channel.
type address struct{}

func (address) Network() string { return "inproc" }
func (address) String() string  { return "inproc" }

// self is the peer on either side of a call, unless the caller's context names
// the one on whose behalf it calls.
var self = &peer.Peer{Addr: address{}, LocalAddr: net.Addr(address{})}

// serverContext turns the context of a call into that of its handler: outgoing
// metadata becomes incoming metadata. The caller's own incoming metadata, if it is a
// handler too, stays with the caller.
func serverContext(ctx context.Context, t *transport) (context.Context, error) {
	md, outgoing := metadata.FromOutgoingContext(ctx)
	if err := validate(md); err != nil {
		return nil, err
	}
	for key := range md {
		if reserved(key) {
			delete(md, key)
		}
	}
	if outgoing {
		ctx = metadata.NewOutgoingContext(ctx, nil)
	}
	if _, ok := peer.FromContext(ctx); !ok {
		ctx = peer.NewContext(ctx, self)
	}
	ctx = metadata.NewIncomingContext(ctx, md)
	return grpc.NewContextWithServerTransportStream(ctx, t), nil
}
