package inproc

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// serverStream is the handler's end of a stream. One goroutine may send while
// another receives.
type serverStream struct {
	*stream
	ctx      context.Context
	desc     *grpc.StreamDesc
	received bool // of RecvMsg: a message has come
}

// Context returns the handler's context.
func (s *serverStream) Context() context.Context { return s.ctx }

// SetHeader is grpc.SetHeader for this stream.
func (s *serverStream) SetHeader(md metadata.MD) error { return s.transport.SetHeader(md) }

// SendHeader is grpc.SendHeader for this stream.
func (s *serverStream) SendHeader(md metadata.MD) error { return s.transport.SendHeader(md) }

// SetTrailer is grpc.SetTrailer for this stream. Metadata that is not valid is
// dropped, as there is no error to return.
func (s *serverStream) SetTrailer(md metadata.MD) { _ = s.transport.SetTrailer(md) }

// SendMsg sends a copy of m, waiting while the client is a window behind. It fails
// with the status of the context if that ends.
func (s *serverStream) SendMsg(m any) error {
	msg, err := clone(m)
	if err != nil {
		return err
	}
	s.transport.flushHeader()
	if err := s.toClient.send(s.ctx, msg); err != nil {
		return status.FromContextError(err).Err()
	}
	return nil
}

// RecvMsg receives the next message into m. It returns io.EOF when the client has
// closed its side, and the status of the context if that ends, no matter which
// messages are still waiting: nobody does for their result.
func (s *serverStream) RecvMsg(m any) error {
	if err := s.ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	err := s.receive(m)
	if s.desc.ClientStreams {
		return err
	}
	switch {
	case err == io.EOF && !s.received:
		return status.Error(codes.Internal, "inproc: the client sent no request, want exactly one")
	case err != nil:
		return err
	}
	s.received = true
	switch err := s.receive(m); err {
	case io.EOF:
		return nil
	case nil:
		return status.Error(codes.Internal, "inproc: the client sent several requests, want exactly one")
	default:
		return err
	}
}

func (s *serverStream) receive(m any) error {
	msg, err := s.toServer.receive(s.ctx)
	switch err {
	case nil:
		return handOver(m, msg)
	case io.EOF:
		return io.EOF
	}
	return status.FromContextError(err).Err()
}
