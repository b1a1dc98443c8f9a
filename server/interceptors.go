package server

import (
	"context"
	"slices"

	"google.golang.org/grpc"

	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/inproc"
	"github.com/digate/digate/server/responsesize"
)

// interceptor is one step of a call on its way to a service. A function that is nil
// lets the calls of its kind pass.
type interceptor struct {
	unary grpc.UnaryServerInterceptor
	// check is a step of unary calls that only may refuse them. result is a step of unary calls that sees nothing but their result. Unlike a unary
	// step, neither allocates a closure, and both take little of the stack, which is copied
	// as soon as a call outgrows it.
	check    func(ctx context.Context, method string) error
	result   func(ctx context.Context, method string, resp any, err error) (any, error)
	stream   grpc.StreamServerInterceptor
	grpcOnly bool // REST has a way of its own for it, or no need
}

// interceptors lists the steps of every call from the outermost to the innermost: each
// holds for all that comes below it. The gRPC server takes the whole list, and the
// in-process channel of the REST side all but the steps of gRPC alone. What must hold
// for all callers belongs here.
//
// Two things come before it. The caller is authenticated when the header of a call is
// there ([Server.tapHandle], and on the REST side authn's middleware), so nothing of a
// stranger's message is read. Then the intake receives and decodes the message of a
// unary call; a message that it refuses passes the list as a call that failed.
func (s *Server) interceptors() []interceptor {
	var decide interceptor
	if s.access != nil {
		decide = interceptor{unary: s.access.Unary, stream: s.access.Stream}
	}
	size := &responsesize.Bound{Bytes: s.cfg.MaxGRPCResponseBytes, Contract: s.contract}
	return []interceptor{
		// The messages of a stream are received within the bounds until its end.
		{stream: s.intake.StreamInterceptor, grpcOnly: true},
		// Every failure is bounded and tells whether to try again.
		{result: s.failUnary, stream: s.failStream, grpcOnly: true},
		// Every call has an exchange, a line and a metric, and a panic is a failure.
		{unary: s.telemetry.UnaryInterceptor, stream: s.telemetry.StreamInterceptor},
		// Every call has a principal, or needs none.
		{check: authn.Check, stream: authn.StreamInterceptor},
		// A caller that Diga accepted is known.
		{result: s.knowCaller},
		// A method that the service lacks has a verdict.
		{result: implementedUnary, stream: implementedStream},
		// A caller of a file of accounts does what the file allows, and no more of it.
		decide,
		// A stream has room, which the caller's being known decides. A unary call has
		// it already, since it waits for its message before this list.
		{stream: s.intake.BoundStreams, grpcOnly: true},
		// An endless stream ends when the server does.
		{stream: s.endWatches, grpcOnly: true},
		// A response is no larger than its caller can take.
		{result: size.FitUnary, stream: size.FitStream, grpcOnly: true},
	}
}

// serverOptions returns the list as the options of a gRPC server.
func serverOptions(list []interceptor) []grpc.ServerOption {
	o := channelOptions(list)
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(o.Unary...), grpc.ChainStreamInterceptor(o.Stream...)}
}

// channelOptions returns the list as the options of an in-process channel.
func channelOptions(list []interceptor) (o inproc.Options) {
	o.Unary = []grpc.UnaryServerInterceptor{unaryChain(list)}
	for _, i := range list {
		if i.stream != nil {
			o.Stream = append(o.Stream, i.stream)
		}
	}
	return o
}

// unaryChain returns the steps of unary calls as one interceptor.
func unaryChain(list []interceptor) grpc.UnaryServerInterceptor {
	if len(list) == 0 {
		return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			return handler(ctx, req)
		}
	}
	step, inner := list[0], unaryChain(list[1:])
	switch {
	case step.unary != nil:
		return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			return step.unary(ctx, req, info, func(ctx context.Context, req any) (any, error) {
				return inner(ctx, req, info, handler)
			})
		}
	case step.check != nil:
		return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if err := step.check(ctx, info.FullMethod); err != nil {
				return nil, err
			}
			return inner(ctx, req, info, handler)
		}
	case step.result != nil:
		return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			resp, err := inner(ctx, req, info, handler)
			return step.result(ctx, info.FullMethod, resp, err)
		}
	default:
		return inner
	}
}

// forREST returns the steps of the list that calls of the REST side pass.
func forREST(list []interceptor) []interceptor {
	return slices.DeleteFunc(slices.Clone(list), func(i interceptor) bool { return i.grpcOnly })
}
