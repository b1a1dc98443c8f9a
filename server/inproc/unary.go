package inproc

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Invoke calls a unary method on the caller's goroutine and returns when its
// handler has returned. Every error is a status; a call whose context has ended
// already does not reach the handler. It takes args over, and the reply shares
// its content with the handler's response (see the package's ownership rule).
//
// Header and trailer are filled in after the handler, whether it failed or not.
func (c *Channel) Invoke(ctx context.Context, fullName string, args, reply any, opts ...grpc.CallOption) error {
	if err := checkOptions(opts); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	m, err := c.lookup(fullName)
	if err != nil {
		return err
	}
	if m.unary == nil {
		return status.Errorf(codes.Internal, "inproc: %s is a streaming method, Invoke calls unary ones", fullName)
	}

	t := &transport{method: fullName}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx, err = serverContext(ctx, t)
	if err != nil {
		return err
	}
	decode := func(req any) error { return handOver(req, args) }
	resp, err := m.unary.Handler(m.impl, ctx, decode, c.unary)
	t.end()
	deliver(t, opts)
	if err != nil {
		if err = statusError(err); err == nil {
			return errNoResponse // a failure that calls itself OK carries no message
		}
		return err
	}
	return handOver(reply, resp)
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
