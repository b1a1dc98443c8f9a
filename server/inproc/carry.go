package inproc

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// Arrival provides the encoded messages of a caller. grpc-go's own streams have these
// methods, except JSON.
type Arrival interface {
	// ReadMessageHeader reads the header of the next message: a flag, which is 1 for a
	// compressed message, and the length in four bytes. It returns [io.EOF] after the
	// last message.
	ReadMessageHeader(header []byte) error
	// Read reads the next n bytes of the message.
	Read(n int) (mem.BufferSlice, error)
	// RecvCompress returns the encoding of compressed messages.
	RecvCompress() string
	// JSON reports whether messages are JSON instead of protobuf.
	JSON() bool
}

// carried is the transport of a call whose messages are encoded. Package intake finds it
// in the call's context and receives from it.
type carried struct {
	*transport
	Arrival
}

// Carry calls a method of any kind on the caller's goroutine, as [Channel.Serve] calls a
// streaming one, for a caller whose messages are encoded. Services that are registered
// through package intake, and that package's stream interceptor, receive the messages
// from the [Arrival]. The handler's messages go to ss.SendMsg, for a unary method too,
// even if the context of the call has ended by then. ss.RecvMsg is called only by
// services that do not receive through intake.
func (c *Channel) Carry(ctx context.Context, fullName string, from Arrival, ss grpc.ServerStream) error {
	if err := contextError(ctx); err != nil {
		return err
	}
	m, err := c.lookup(fullName)
	if err != nil {
		return err
	}
	s := newServerStream(ctx, fullName, ss)
	defer s.end()
	s.ctx = grpc.NewContextWithServerTransportStream(s.ctx, carried{&s.transport, from})
	if m.stream != nil {
		return c.handleStream(m, fullName, s)
	}
	response, err := m.unary.Handler(m.impl, s.ctx, ss.RecvMsg, c.unary)
	if err == nil {
		return s.respond(response)
	}
	if err = statusError(err); err == nil {
		err = errNoResponse
	}
	return err
}

// respond sends the header, if there is one, and the single message of a unary call.
func (s *serverStream) respond(m any) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.transport.flushHeader()
	if err := s.sendHeader(); err != nil {
		return statusError(err)
	}
	if err := s.ServerStream.SendMsg(m); err != nil {
		return statusError(err)
	}
	return nil
}
