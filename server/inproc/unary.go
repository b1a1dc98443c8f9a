package inproc

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Call calls a unary method on the caller's goroutine and returns when its handler has
// returned. The method creates an empty request, which decode fills in. An error of
// decode is returned unchanged; every other error is a status. If the context ends before
// the request is decoded, the handler is not called.
//
// The response belongs to the handler, and is nil if the handler returned none. It must
// not be modified: other calls may share it.
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
		err = errNoResponse // an error with the code OK has no message
	}
	return nil, in.transport.sentHeader(), err
}

// incoming is a unary call as the method's generated code sees it.
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

// contextError returns the status of a context that has ended, or nil.
func contextError(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	return nil
}

var errNoResponse = status.Error(codes.Internal, "inproc: the method sent no response, want exactly one")

// statusError converts a handler's error to a status, as a grpc-go server does: a status
// keeps its details, even if it is wrapped; a context error gets its own code; any other
// error becomes UNKNOWN with its text. It returns nil for a status with the code OK.
func statusError(err error) error {
	s, ok := status.FromError(err)
	if !ok {
		s = status.FromContextError(err)
	}
	return s.Err()
}
