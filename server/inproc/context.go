package inproc

import (
	"context"

	"google.golang.org/grpc"
)

// serverContext returns the context of a handler, in which grpc.SetHeader and similar
// functions find the transport.
func serverContext(ctx context.Context, t *transport) context.Context {
	return grpc.NewContextWithServerTransportStream(ctx, t)
}
