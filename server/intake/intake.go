// Package intake takes in the messages of gRPC calls. What gRPC itself would
// refuse without a verdict (a message that is too large, breaks off or is no protobuf)
// is refused here with one, in the words of the REST side, and passes the
// interceptors like any other failure.
//
// gRPC's RecvMsg ends a call by itself as soon as a message cannot be received. The
// intake therefore reads the messages itself, from the stream that RecvMsg reads.
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

// Intake receives the messages of a server's calls. It may be used by many
// goroutines.
type Intake struct {
	Bounds
	reader       digajson.WireReader
	receptions   sync.Pool
	unaryMethods map[string]bool // by full name, as registered
	// decompressing has a value for each message of a stranger's that is being
	// decompressed.
	decompressing chan struct{}
	waiting       atomic.Int64 // messages of strangers that wait for that
}

// Bounds are those of an intake.
type Bounds struct {
	// MaxMessage is the size of the largest message, in bytes.
	MaxMessage int
	// Memory is the budget of the messages of the calls under way. What they take is
	// estimated from above.
	Memory *budget.Memory
	// StreamWindow is how many messages of a stream may be in use at once.
	StreamWindow int
	// Forwarded reports whether nobody but Diga needs the values of messages of a type;
	// nil for no such type.
	Forwarded func(protoreflect.MessageDescriptor) bool
	// Gate bounds the streams that wait for their callers; nil for no bound. Callers are
	// those that it knows.
	Gate    *streams.Gate
	Callers *callers.Known
}

// New returns an intake with these bounds.
//
// New registers encodings with gRPC. The first call of New must come before the
// process has a gRPC server or client.
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

// ServerOptions returns the options of a gRPC server that receives through the
// intake. Its services must be registered as [Intake.Service] returns them, and
// [Intake.StreamInterceptor] must be its first interceptor of streams.
func (i *Intake) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ForceServerCodecV2(newCodec())}
}

// reception is the arrival of a unary call's request.
type reception struct {
	message
	intake  *Intake
	slot    slot            // while it waits
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

// Service returns the description of a service whose unary methods receive
// through the intake. A request that is refused passes the interceptors as a call
// that failed.
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

// refuse passes a call that is refused through the interceptors.
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

// BoundStreams refuses a stream for which the gate has no slot, or whose encoding is
// not supported.
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
	many    bool // messages of the client
	message message

	mu    sync.Mutex     // the handler may return while a message is received
	held  []budget.Share // what the last messages take of the memory, the oldest first
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

// hold gives back what the oldest message takes, where another would be more than
// can be in use.
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
