// Package intake receives the messages of gRPC calls. gRPC itself refuses a message that
// is too large, incomplete or not protobuf with an error that has no outcome. The intake
// refuses it with the same error as the REST side, and the error passes the interceptors
// like any other.
//
// gRPC's RecvMsg ends a call as soon as a message cannot be received. The intake
// therefore reads the messages itself, from the stream that RecvMsg reads.
package intake

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/callers"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/stack"
	"github.com/digate/digate/server/streams"
)

// Intake receives the messages of a server's calls. It is safe for concurrent use.
type Intake struct {
	Bounds
	reader       digajson.WireReader
	receptions   sync.Pool
	unaryMethods map[string]bool // by full name, as registered
	// decompressing has a value for each message of a stranger that is being
	// decompressed.
	decompressing chan struct{}
	waiting       atomic.Int64 // messages of strangers that wait to be decompressed
}

// Bounds are the limits of an intake.
type Bounds struct {
	// MaxMessage is the maximum size of a message, in bytes.
	MaxMessage int
	// Memory is the memory budget for the messages of current calls. Their use is an
	// upper estimate.
	Memory *budget.Memory
	// StreamWindow is how many messages of a stream may be in use at once.
	StreamWindow int
	// Forwarded reports whether only Diga needs the values of a message type. Nil means
	// no type.
	Forwarded func(protoreflect.MessageDescriptor) bool
	// Gate limits the streams that wait for their callers, and knows the callers. Nil
	// means no limit.
	Gate    *streams.Gate
	Callers *callers.Known
}

// New returns an intake with these limits.
//
// New registers encodings with gRPC. The first call of New must come before the process
// has a gRPC server or client.
func New(bounds Bounds) *Intake {
	registerEncodings()
	i := &Intake{Bounds: bounds, reader: digajson.WireReader{Forwarded: bounds.Forwarded}, unaryMethods: make(map[string]bool),
		decompressing: make(chan struct{}, max(runtime.GOMAXPROCS(0)/2, 1)),
	}
	i.receptions.New = func() any {
		r := &reception{intake: i}
		r.decode = r.into
		return r
	}
	return i
}

// ServerOptions returns the options of a gRPC server that receives through the intake.
// Its services must be registered with the descriptions that [Intake.Service] returns,
// and [Intake.StreamInterceptor] must be its first stream interceptor.
func (i *Intake) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ForceServerCodecV2(newCodec())}
}

// reception is the reception of a unary call's request.
type reception struct {
	message
	intake  *Intake
	slot    slot            // while it waits for the message
	decode  func(any) error // into, bound once
	refused error
}

func (r *reception) into(v any) error {
	r.proto = v.(proto.Message)
	err := r.intake.receiveOnly(&r.message)
	r.slot.leave()
	r.slot = slot{}
	switch status.Code(err) {
	case codes.Canceled:
		err = apierror.NotBegun(context.Canceled)
	case codes.DeadlineExceeded:
		err = apierror.NotBegun(context.DeadlineExceeded)
	}
	r.refused = err
	return err
}

// Service returns the description of a service whose unary methods receive through the
// intake. A refused request passes the interceptors as a failed call.
func (i *Intake) Service(desc *grpc.ServiceDesc) *grpc.ServiceDesc {
	wrapped := *desc
	wrapped.Methods = make([]grpc.MethodDesc, len(desc.Methods))
	for n, m := range desc.Methods {
		info := &grpc.UnaryServerInfo{FullMethod: "/" + desc.ServiceName + "/" + m.MethodName}
		wrapped.Methods[n] = grpc.MethodDesc{MethodName: m.MethodName, Handler: i.unary(m, info)}
	}
	return &wrapped
}

func (i *Intake) unary(m grpc.MethodDesc, info *grpc.UnaryServerInfo) grpc.MethodHandler {
	i.unaryMethods[info.FullMethod] = true
	return func(srv any, ctx context.Context, _ func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		stack.Grow()
		if err := refusalOf(ctx); err != nil {
			return nil, err
		}
		if err := checkCall(ctx); err != nil {
			return refuse(ctx, info, interceptor, err)
		}
		taken, ok := i.enter(ctx, info.FullMethod)
		if !ok {
			return refuse(ctx, info, interceptor, apierror.TooManyStreams())
		}
		r := i.receptions.Get().(*reception)
		r.ctx, r.slot = ctx, taken
		resp, err := m.Handler(srv, ctx, r.decode, interceptor)
		refused := r.refused
		r.memory.GiveBack()
		r.message, r.refused = message{}, nil
		i.receptions.Put(r)
		if refused == nil {
			return resp, err
		}
		// The generated handler returned before it called the interceptor.
		return refuse(ctx, info, interceptor, refused)
	}
}

// refuse passes a refused call through the interceptors.
func refuse(ctx context.Context, info *grpc.UnaryServerInfo, interceptor grpc.UnaryServerInterceptor, refused error) (any, error) {
	if interceptor == nil {
		return nil, refused
	}
	return interceptor(ctx, nil, info, func(context.Context, any) (any, error) { return nil, refused })
}

// StreamInterceptor makes a stream receive through the intake.
func (i *Intake) StreamInterceptor(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := refusalOf(ss.Context()); err != nil {
		return err
	}
	s := &stream{ServerStream: ss, intake: i, many: info.IsClientStream}
	defer s.end()
	return handler(srv, s)
}

// BoundStreams refuses a stream if the gate has no slot for it or its encoding is not
// supported.
func (i *Intake) BoundStreams(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := checkCall(ss.Context()); err != nil {
		return err
	}
	taken, ok := i.enter(ss.Context(), info.FullMethod)
	if !ok {
		return apierror.TooManyStreams()
	}
	defer taken.leave()
	return handler(srv, ss)
}

type stream struct {
	grpc.ServerStream
	intake  *Intake
	many    bool // the client may send several messages
	message message

	mu    sync.Mutex     // the handler may return during a receive
	held  []budget.Share // the memory of the last messages, the oldest first
	ended bool
}

func (s *stream) RecvMsg(v any) error {
	s.message = message{ctx: s.Context(), proto: v.(proto.Message)}
	var err error
	if s.many {
		_, err = s.intake.receive(&s.message)
	} else {
		err = s.intake.receiveOnly(&s.message)
	}
	s.hold(s.message.memory)
	return err
}

// hold releases the memory of the oldest message if there are more messages than can be
// in use.
func (s *stream) hold(share budget.Share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		share.GiveBack()
		return
	}
	if len(s.held) == 0 && share.Taken() == 0 {
		return
	}
	if len(s.held) >= s.intake.StreamWindow {
		s.held[0].GiveBack()
		s.held = append(s.held[:0], s.held[1:]...)
	}
	s.held = append(s.held, share)
}

func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for n := range s.held {
		s.held[n].GiveBack()
	}
	s.held = nil
}
