package server

import (
	"context"
	"slices"

	"google.golang.org/grpc"

	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/inproc"
	"github.com/digate/digate/server/responsesize"
)

// interceptor is one step that a call passes on its way to the service. A step with a nil
// function does nothing for calls of that kind.
type interceptor struct {
	unary grpc.UnaryServerInterceptor
	// check is a step of unary calls that can only refuse a call. result is a step of
	// unary calls that sees only the call's result. Unlike unary, neither allocates a
	// closure, and both need little stack, which is copied whenever a call outgrows it.
	check    func(ctx context.Context, method string) error
	result   func(ctx context.Context, method string, resp any, err error) (any, error)
	stream   grpc.StreamServerInterceptor
	grpcOnly bool // REST has its own implementation, or does not need it
}

// interceptors lists the steps that every call passes, the outermost first. A step
// applies to all steps after it. The gRPC server uses the whole list, and the in-process
// channel of the REST side uses all but the steps marked grpcOnly. A rule for all callers
// belongs here.
//
// Two things happen before these steps. The caller is authenticated as soon as the call's
// header has arrived, by [Server.tapHandle] for gRPC and by authn's middleware for REST,
// so that no message of an unauthenticated caller is read. Then the intake receives and
// decodes the message of a unary call. If the intake refuses the message, the call still
// passes these steps, as a failed call.
func (s *Server) interceptors() []interceptor {
	var decide interceptor
	if s.access != nil {
		decide = interceptor{unary: s.access.Unary, stream: s.access.Stream}
	}
	size := &responsesize.Bound{Bytes: s.cfg.MaxGRPCResponseBytes, Contract: s.contract}
	return []interceptor{
		// Every message of a stream is received within the limits.
		{stream: s.intake.StreamInterceptor, grpcOnly: true},
		// The size of every error is limited, and its trailer says whether to retry.
		{result: s.failUnary, stream: s.failStream, grpcOnly: true},
		// Every call has an exchange, a log line and a metric. A panic becomes an error.
		{unary: s.telemetry.UnaryInterceptor, stream: s.telemetry.StreamInterceptor},
		// Every call has a principal, unless its method needs none.
		{check: authn.Check, stream: authn.StreamInterceptor},
		// A caller that Diga accepted is remembered.
		{result: s.rememberAccepted},
		// A call to a method that the service does not implement fails with an outcome.
		{result: implementedUnary, stream: implementedStream},
		// With a file of accounts, a caller can do only what the file allows.
		decide,
		// A stream takes a place among all streams. Known callers have more places, so
		// this step comes after authentication. Unary calls took theirs before, because
		// they wait for their message first.
		{stream: s.intake.BoundStreams, grpcOnly: true},
		// Endless streams end when the server drains.
		{stream: s.endOnDrain, grpcOnly: true},
		// No response is larger than its caller can receive.
		{result: size.FitUnary, stream: size.FitStream, grpcOnly: true},
	}
}

// serverOptions returns the steps as options of a gRPC server.
func serverOptions(list []interceptor) []grpc.ServerOption {
	o := channelOptions(list)
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(o.Unary...), grpc.ChainStreamInterceptor(o.Stream...)}
}

// channelOptions returns the steps as options of an in-process channel.
func channelOptions(list []interceptor) (o inproc.Options) {
	o.Unary = []grpc.UnaryServerInterceptor{unaryChain(list)}
	for _, i := range list {
		if i.stream != nil {
			o.Stream = append(o.Stream, i.stream)
		}
	}
	return o
}

// unaryChain combines the steps of unary calls into one interceptor.
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

// forREST returns the steps that calls from the REST side pass.
func forREST(list []interceptor) []interceptor {
	return slices.DeleteFunc(slices.Clone(list), func(i interceptor) bool { return i.grpcOnly })
}
