package inproc

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Serve calls a streaming method on the caller's goroutine, with the caller's end
// of the stream: the handler receives what ss.RecvMsg returns and sends to
// ss.SendMsg. Serve returns when the handler has returned. Its error is the
// handler's status, or the reason why the handler was not called.
//
// ss.SendHeader is called at most once, before the first message, and
// ss.SetTrailer at most once, at the end. No method of ss but RecvMsg is called
// once Serve has returned, not even by goroutines that the handler left behind:
// Serve waits for an ss.SendMsg under way, which therefore must not block for
// ever. A goroutine left in ss.RecvMsg is not waited for. ss.Context and
// ss.SetHeader are not called; the handler's context descends from ctx.
//
// After an ss.SendMsg that failed the stream is over: the handler's context ends.
func (c *Channel) Serve(ctx context.Context, fullName string, ss grpc.ServerStream) error {
	if err := contextError(ctx); err != nil {
		return err
	}
	m, err := c.lookup(fullName)
	if err != nil {
		return err
	}
	if m.stream == nil {
		return status.Errorf(codes.Internal, "inproc: %s is a unary method, Serve calls streaming ones", fullName)
	}

	s := newServerStream(ctx, fullName, ss)
	defer s.end() // also after a panic
	s.ctx = serverContext(s.ctx, &s.transport)
	return c.handleStream(m, fullName, s)
}

// newServerStream returns the handler's side of a stream. Its context ends with the call.
func newServerStream(ctx context.Context, fullName string, ss grpc.ServerStream) *serverStream {
	s := &serverStream{ServerStream: ss, transport: transport{method: fullName}}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// handleStream calls a streaming method.
func (c *Channel) handleStream(m method, fullName string, s *serverStream) error {
	var err error
	if c.stream == nil {
		err = m.stream.Handler(m.impl, s)
	} else {
		err = c.stream(m.impl, s, &grpc.StreamServerInfo{
			FullMethod:     fullName,
			IsClientStream: m.stream.ClientStreams,
			IsServerStream: m.stream.ServerStreams,
		}, m.stream.Handler)
	}
	if err != nil {
		return statusError(err)
	}
	return nil
}

// serverStream is the handler's side of the stream given to Serve or Carry. One goroutine
// may send while another receives.
type serverStream struct {
	grpc.ServerStream
	transport transport
	ctx       context.Context
	cancel    context.CancelFunc

	sending sync.Mutex
	begun   bool // the header was sent, or the first message without one
}

// Context returns the handler's context.
func (s *serverStream) Context() context.Context { return s.ctx }

// SetHeader is grpc.SetHeader for this stream.
func (s *serverStream) SetHeader(md metadata.MD) error { return s.transport.SetHeader(md) }

// SendHeader is grpc.SendHeader for this stream.
func (s *serverStream) SendHeader(md metadata.MD) error { return s.transport.SendHeader(md) }

// SetTrailer is grpc.SetTrailer for this stream. It drops metadata that is not
// valid, as it has no error to return.
func (s *serverStream) SetTrailer(md metadata.MD) { _ = s.transport.SetTrailer(md) }

// SendMsg sends the header, if this is the first message, and m. It fails with the
// status of the context if that has ended.
func (s *serverStream) SendMsg(m any) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if err := contextError(s.ctx); err != nil {
		return err
	}
	s.transport.flushHeader()
	err := s.sendHeader()
	if err == nil {
		err = s.ServerStream.SendMsg(m)
	}
	if err != nil {
		s.cancel()
		return statusError(err)
	}
	return nil
}

// sendHeader sends the header once, if there is one.
func (s *serverStream) sendHeader() error {
	if s.begun {
		return nil
	}
	s.begun = true
	if header := s.transport.sentHeader(); len(header) > 0 {
		return s.ServerStream.SendHeader(header)
	}
	return nil
}

// RecvMsg receives the next message into m. It fails with the status of the context if
// that has ended, even if there are more messages, because nobody waits for their
// results.
func (s *serverStream) RecvMsg(m any) error {
	if err := contextError(s.ctx); err != nil {
		return err
	}
	return s.ServerStream.RecvMsg(m)
}

// end ends the handler's context so that nothing more is sent, waits for a message that
// is being sent, and sends header and trailer.
func (s *serverStream) end() {
	s.cancel()
	s.sending.Lock()
	defer s.sending.Unlock()
	s.transport.end()
	_ = s.sendHeader() // the status of the call matters more
	if trailer := s.transport.finalTrailer(); len(trailer) > 0 {
		s.ServerStream.SetTrailer(trailer)
	}
}
