package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/tap"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// begin returns the context and the record of an RPC. It also reports whether the
// interceptor must finish the record: for REST requests, the middleware does.
func (t *Telemetry) begin(ctx context.Context, method string) (context.Context, *call, bool) {
	c := callFromContext(ctx)
	own := c == nil
	if own {
		c = &call{began: time.Now(), protocol: protocolGRPC, requestID: incomingRequestID(ctx)}
	}
	c.method, c.subject = t.label(method), subjectOf(method)
	if own {
		ctx = t.traceRPC(ctx, c)
	}
	c.exchange = exchange.FromContext(ctx)
	if c.exchange == nil {
		ctx, c.exchange = exchange.NewContext(ctx)
	}
	c.exchange.XRequestID, c.exchange.CallersTrace = c.requestID, c.callersTrace
	t.name(ctx, c)
	t.start(c)
	return ctx, c, own
}

// UnaryInterceptor observes a unary RPC. It must be the outermost interceptor: it creates
// the call's exchange, and turns a panic in the call into an error.
//
// The id of the call is sent in the header of a success and in the trailer of a failure.
// gRPC clients retry a call automatically only if its failure came without a header (gRFC
// A6), so nothing may send a header before the result is known.
func (t *Telemetry) UnaryInterceptor(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	ctx, c, own := t.begin(ctx, info.FullMethod)
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, t.panicked(ctx, c, p)
		}
		c.known = t.isKnown(ctx)
		c.conclude(err)
		if t.audit != nil {
			c.about.ask(req)
			c.about.made(resp)
		}
		if !own {
			return
		}
		tellID(ctx, c.requestID, err != nil)
		t.finish(ctx, c)
	}()
	return handler(ctx, req)
}

// ids is a pool of metadata.MD with an id.
var ids = sync.Pool{New: func() any { return metadata.MD{requestIDKey: make([]string, 1)} }}

// tellID adds the id of a call to the header of its response or to the trailer of its
// failure. gRPC copies metadata, so the MD can be reused for another call.
func tellID(ctx context.Context, id string, failed bool) {
	md := ids.Get().(metadata.MD)
	defer ids.Put(md)
	md[requestIDKey][0] = id
	if failed {
		_ = grpc.SetTrailer(ctx, md)
	} else {
		_ = grpc.SetHeader(ctx, md)
	}
}

// StreamInterceptor is [Telemetry.UnaryInterceptor] for streams. The header of a stream
// is sent with its first message.
func (t *Telemetry) StreamInterceptor(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	ctx, c, own := t.begin(ss.Context(), info.FullMethod)
	s := &stream{ServerStream: ss, ctx: ctx}
	if own {
		s.id = metadata.Pairs(requestIDKey, c.requestID)
	}
	defer func() {
		if p := recover(); p != nil {
			err = t.panicked(ctx, c, p)
		}
		c.known = t.isKnown(ctx)
		c.conclude(err)
		if s.id != nil {
			ss.SetTrailer(s.id)
		}
		if own {
			t.finish(ctx, c)
		}
	}()
	return handler(srv, s)
}

// stream is a stream with the context of its observation.
type stream struct {
	grpc.ServerStream
	ctx context.Context
	id  metadata.MD // of the call; nil once the header was sent
}

func (s *stream) Context() context.Context { return s.ctx }

// SendMsg sends the header before the first message.
func (s *stream) SendMsg(m any) error {
	if s.id != nil {
		_ = s.SetHeader(s.id)
		s.id = nil
	}
	return s.ServerStream.SendMsg(m)
}

// panicked logs a panic and returns its error. It logs only the type, because the value
// may contain anything. The outcome depends on whether the exchange shows that the
// request was sent.
func (t *Telemetry) panicked(ctx context.Context, c *call, p any) error {
	t.log.LogAttrs(ctx, slog.LevelError, "panic",
		slog.String("method", c.method), slog.String(logRequestID, c.requestID),
		slog.String("type", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())))
	return apierror.Internal(fmt.Errorf("panic of type %T", p), unfinished(c.exchange))
}

// TapHandle observes the calls that next refuses, because no interceptor sees them. next
// may return the context as it was when it refused the call.
func (t *Telemetry) TapHandle(next tap.ServerInHandle) tap.ServerInHandle {
	return func(ctx context.Context, info *tap.Info) (context.Context, error) {
		inner, err := next(ctx, info)
		if err != nil {
			c := &call{
				began: time.Now(), protocol: protocolGRPC, method: t.label(info.FullMethodName), subject: subjectOf(info.FullMethodName),
				requestID: requestID(info.Header.Get(requestIDKey)),
			}
			if inner != nil {
				c.known = t.isKnown(inner)
				t.name(inner, c)
			}
			c.conclude(err)
			t.finish(ctx, c)
		}
		return inner, err
	}
}

// MalformedCall observes a call that gRPC refused because its header was malformed, such
// as an invalid timeout or content type. No other code sees such a call.
func (t *Telemetry) MalformedCall() {
	c := &call{
		began: time.Now(), protocol: protocolGRPC, method: t.label(""), subject: ofAnybody,
		requestID: requestID(nil), code: codes.Internal, reason: apierror.ReasonInvalidRequest,
		outcome: exchange.NotApplicable, cause: "the header of the call is malformed",
	}
	t.finish(context.Background(), c)
}

// RefusedCall observes a call that gRPC refused before its handler ran. The method is
// unknown, so the call has no outcome.
func (t *Telemetry) RefusedCall(err error) {
	c := &call{began: time.Now(), protocol: protocolGRPC, method: t.label(""), subject: ofAnybody, requestID: requestID(nil)}
	c.conclude(err)
	t.finish(context.Background(), c)
}
