package web

import (
	"context"
	"net/http"

	"connectrpc.com/connect"
)

// method is a method of a service.
type method struct {
	name string // the full gRPC name
	kind connect.StreamType
	// unary serves a unary method over Connect, whose messages have no envelope.
	// enveloped serves all other calls.
	unary, enveloped http.Handler
}

func (h *Handler) newMethod(name string, kind connect.StreamType) *method {
	m := &method{name: name, kind: kind}
	options := connect.WithHandlerOptions(codecs, compression, connect.WithInterceptors(carrying{}))
	switch kind {
	case connect.StreamTypeUnary:
		m.unary = connect.NewUnaryHandler(name, carryUnary, options)
		// A unary call over gRPC-Web is a stream with one message.
		m.enveloped = connect.NewClientStreamHandler[frame, frame](name, nil, options)
	case connect.StreamTypeClient:
		m.enveloped = connect.NewClientStreamHandler[frame, frame](name, nil, options)
	case connect.StreamTypeServer:
		m.enveloped = connect.NewServerStreamHandler[frame, frame](name, nil, options)
	default:
		m.enveloped = connect.NewBidiStreamHandler[frame, frame](name, nil, options)
	}
	return m
}

// receives reports whether a caller may send several messages.
func (m *method) receives() bool { return m.kind&connect.StreamTypeClient != 0 }

// fullName returns the method's full name. It is empty for a nil method.
func (m *method) fullName() string {
	if m == nil {
		return ""
	}
	return m.name
}

// carrying is an interceptor that serves the calls with enveloped messages instead of
// connect-go's handlers, whose errors for unreadable messages have no outcome.
type carrying struct{}

var _ connect.Interceptor = carrying{}

// WrapUnary implements [connect.Interceptor].
func (carrying) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc { return next }

// WrapStreamingClient implements [connect.Interceptor].
func (carrying) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements [connect.Interceptor].
func (carrying) WrapStreamingHandler(connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return carry(ctx, conn)
	}
}

// carryUnary serves a unary Connect call.
func carryUnary(ctx context.Context, req *connect.Request[frame]) (*connect.Response[frame], error) {
	info, _ := connect.CallInfoForHandlerContext(ctx)
	conn := &unaryConn{request: req.Msg, header: info.ResponseHeader(), trailer: info.ResponseTrailer()}
	if err := carry(ctx, conn); err != nil {
		return nil, err
	}
	return connect.NewResponse(conn.response), nil
}
