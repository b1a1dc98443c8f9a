package inproc

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// window is how many messages each direction of a stream holds before its sender
// has to wait for the receiver: enough that neither side must take turns with the
// other, few enough that a slow reader soon slows the writer.
const window = 8

// NewStream starts a streaming method in a goroutine that ends with its handler.
// As with any gRPC connection, the caller receives until RecvMsg fails or ends ctx;
// a stream that is neither read to its end nor cancelled keeps its handler waiting.
func (c *Channel) NewStream(ctx context.Context, desc *grpc.StreamDesc, fullName string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if err := checkOptions(opts); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	m, err := c.lookup(fullName)
	if err != nil {
		return nil, err
	}
	if m.stream == nil {
		return nil, status.Errorf(codes.Internal, "inproc: %s is a unary method, NewStream calls streaming ones", fullName)
	}

	s := &stream{
		transport: transport{method: fullName, ready: make(chan struct{})},
		toServer:  newPipe(),
		toClient:  newPipe(),
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	serverCtx, err := serverContext(s.ctx, &s.transport)
	if err != nil {
		s.cancel()
		return nil, err
	}
	go s.serve(m, c.stream, &serverStream{stream: s, ctx: serverCtx, desc: m.stream})
	return &clientStream{stream: s, desc: desc, opts: opts}, nil
}

// stream is one streaming call: what its two ends, clientStream and serverStream,
// have in common. Its context ends with the caller's, when the client gives up
// and when the handler has returned, and whoever waits on the other end with it.
type stream struct {
	transport transport
	ctx       context.Context
	cancel    context.CancelFunc
	toServer  *pipe // closed by CloseSend
	toClient  *pipe // closed when the handler has returned

	// The outcome, set before toClient is closed.
	err      error
	panicked *HandlerPanic
}

// serve runs the handler and publishes its outcome.
func (s *stream) serve(m method, interceptor grpc.StreamServerInterceptor, ss *serverStream) {
	returned := false
	defer func() {
		if !returned {
			if v := recover(); v != nil {
				s.panicked = &HandlerPanic{Method: s.transport.method, Value: v, Stack: debug.Stack()}
			} else { // runtime.Goexit
				s.err = status.Errorf(codes.Internal, "inproc: the handler of %s ended its goroutine", s.transport.method)
			}
		}
		s.transport.end()
		s.toClient.close() // before cancel: the status outranks the end of the context
		s.cancel()
	}()

	var err error
	if interceptor == nil {
		err = m.stream.Handler(m.impl, ss)
	} else {
		err = interceptor(m.impl, ss, &grpc.StreamServerInfo{
			FullMethod:     s.transport.method,
			IsClientStream: m.stream.ClientStreams,
			IsServerStream: m.stream.ServerStreams,
		}, m.stream.Handler)
	}
	if err != nil {
		s.err = statusError(err)
	}
	returned = true
}

// HandlerPanic is what the client's RecvMsg panics with after the handler of its
// stream has panicked. It wraps Value if that is an error.
type HandlerPanic struct {
	Method string // full name of the method
	Value  any    // what the handler panicked with
	Stack  []byte // the handler's goroutine at that time
}

// Error includes the handler's stack: the one that a recovering caller sees is
// only that of the client.
func (p *HandlerPanic) Error() string {
	return fmt.Sprintf("inproc: panic in the handler of %s: %v\n\n%s", p.Method, p.Value, p.Stack)
}

// Unwrap returns the value that the handler panicked with, if it is an error.
func (p *HandlerPanic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// pipe is one direction of a stream.
type pipe struct {
	messages chan proto.Message
	end      chan struct{} // closed after the last message
	once     sync.Once
}

func newPipe() *pipe {
	return &pipe{messages: make(chan proto.Message, window), end: make(chan struct{})}
}

func (p *pipe) close() {
	p.once.Do(func() { close(p.end) })
}

func (p *pipe) closed() bool {
	select {
	case <-p.end:
		return true
	default:
		return false
	}
}

// send passes a message on as soon as there is room for it. It returns the
// context's error if that ends first.
func (p *pipe) send(ctx context.Context, m proto.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case p.messages <- m:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// receive returns the next message, io.EOF after the last one, or the context's
// error if that ends with neither at hand.
func (p *pipe) receive(ctx context.Context) (proto.Message, error) {
	select {
	case m := <-p.messages:
		return m, nil
	case <-p.end:
	case <-ctx.Done():
	}
	closed := p.closed() // asked first: a pipe that is closed gets no more messages
	select {
	case m := <-p.messages:
		return m, nil
	default:
	}
	if closed {
		return nil, io.EOF
	}
	return nil, ctx.Err()
}
