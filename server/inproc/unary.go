package inproc

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Call calls a unary method on the caller's goroutine and returns when its handler has
// returned. The method makes an empty request, which decode fills in. An error of decode
// is the error of the call as it is; every other error is a status. A call whose context
// has ended before it, or by the time its request is there, does not reach the handler.
//
// The response is the handler's own, nil where it gave none. It must not be changed:
// other calls may share it.
func (c *Channel) Call(ctx context.Context, fullName string, decode func(request any) error) (response any, header metadata.MD, err error) {
	if err := contextError(ctx); err != nil {
		return nil, nil, err
	}
	m, err := c.lookup(fullName)
	if err != nil {
		return nil, nil, err
	}
	if m.unary == nil {
		return nil, nil, status.Errorf(codes.Internal, "inproc: %s is a streaming method, Call calls unary ones", fullName)
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := &incoming{transport: transport{method: fullName}, ctx: ctx, decode: decode}
	response, err = m.unary.Handler(m.impl, serverContext(ctx, &in.transport), in.receive, c.unary)
	in.transport.end()
	if err == nil {
		return response, in.transport.sentHeader(), nil
	}
	if in.refused != nil {
		return nil, nil, in.refused
	}
	if err = statusError(err); err == nil {
		err = errNoResponse // a failure that calls itself OK carries no message
	}
	return nil, in.transport.sentHeader(), err
}

// incoming is a unary call as its method gets it.
type incoming struct {
	transport transport
	ctx       context.Context
	decode    func(request any) error
	refused   error // by decode
}

// receive fills in the request.
func (in *incoming) receive(request any) error {
	if in.refused = in.decode(request); in.refused != nil {
		return in.refused
	}
	return contextError(in.ctx)
}

// contextError returns the status of a context that has ended, else nil.
func contextError(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	return nil
}

var errNoResponse = status.Error(codes.Internal, "inproc: the method sent no response, want exactly one")

// statusError makes a status of what a handler returned, as a grpc-go server does:
// a status stays one, with its details, even where it is wrapped; the end of a
// context has its own codes; anything else is UNKNOWN with its text. It returns
// nil for an error that claims to be OK.
func statusError(err error) error {
	s, ok := status.FromError(err)
	if !ok {
		s = status.FromContextError(err)
	}
	return s.Err()
}
