package inproc

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// clientStream is the caller's end of a stream. One goroutine may send while
// another receives.
type clientStream struct {
	*stream
	desc *grpc.StreamDesc
	opts []grpc.CallOption

	finished sync.Once
	failure  atomic.Pointer[error] // of SendMsg: why the client itself ended the call
	received bool                  // of RecvMsg: a message has come
	final    error                 // of RecvMsg: what the call ended with
}

// Context returns the stream's context.
func (s *clientStream) Context() context.Context { return s.ctx }

// Header waits for the header. It returns nil if the stream ended without one;
// RecvMsg then says why.
func (s *clientStream) Header() (metadata.MD, error) {
	select {
	case <-s.transport.ready:
	case <-s.ctx.Done():
	}
	return s.transport.sentHeader(), nil
}

// Trailer returns the trailer once the handler has returned, and nil before.
func (s *clientStream) Trailer() metadata.MD { return s.transport.finalTrailer() }

// CloseSend tells the handler that no message will follow.
func (s *clientStream) CloseSend() error {
	s.toServer.close()
	return nil
}

// SendMsg sends a copy of m, waiting while the handler is a window behind. It
// returns io.EOF if the stream is over; RecvMsg then says why.
func (s *clientStream) SendMsg(m any) error {
	if s.toServer.closed() {
		return s.abort(status.Error(codes.Internal, "inproc: SendMsg after CloseSend"))
	}
	msg, err := clone(m)
	if err != nil {
		return s.abort(err)
	}
	err = s.toServer.send(s.ctx, msg)
	if !s.desc.ClientStreams {
		return s.CloseSend() // generated code expects no io.EOF here
	}
	if err != nil {
		return io.EOF
	}
	return nil
}

// RecvMsg receives the next message into m. Its error is io.EOF after the last
// message of a call that went well, and the call's status otherwise. It panics
// with a *HandlerPanic if the handler did.
func (s *clientStream) RecvMsg(m any) error {
	if s.final != nil {
		return s.final
	}
	err := s.receive(m)
	if err == nil && !s.desc.ServerStreams {
		// The one message counts only together with the status that follows it.
		if err = s.receive(m); err == nil {
			err = status.Error(codes.Internal, "inproc: the method sent several responses, want exactly one")
		}
	}
	if err == nil {
		return nil
	}
	s.final = err
	s.finish()
	if err == io.EOF && !s.desc.ServerStreams {
		return nil
	}
	return err
}

func (s *clientStream) receive(m any) error {
	msg, err := s.toClient.receive(s.ctx)
	if err == nil {
		s.received = true
		return handOver(m, msg)
	}
	if failure := s.failure.Load(); failure != nil {
		return *failure
	}
	switch {
	case err != io.EOF:
		return status.FromContextError(err).Err()
	case s.panicked != nil:
		s.finish()
		panic(s.panicked)
	case s.err != nil:
		return s.err
	case !s.received && !s.desc.ServerStreams:
		return errNoResponse
	}
	return io.EOF
}

// abort ends the call for a mistake of the client, which RecvMsg returns too.
func (s *clientStream) abort(err error) error {
	s.failure.CompareAndSwap(nil, &err)
	s.finish()
	return err
}

// finish ends the call for the client, and with it the handler's context.
func (s *clientStream) finish() {
	s.finished.Do(func() {
		s.cancel()
		deliver(&s.transport, s.opts)
	})
}
