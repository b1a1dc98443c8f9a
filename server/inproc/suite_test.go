package inproc_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/digate/digate/server/inproc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type text = wrapperspb.StringValue

// service is a gRPC service whose methods a test fills in.
type service struct {
	unary  func(ctx context.Context, in *text) (any, error)
	stream func(ss grpc.ServerStream) error
}

const (
	unaryMethod = "/inproc.test.Service/Unary"
	watchMethod = "/inproc.test.Service/Watch"
	talkMethod  = "/inproc.test.Service/Talk"
)

var (
	watch = &grpc.StreamDesc{StreamName: "Watch", ServerStreams: true}
	talk  = &grpc.StreamDesc{StreamName: "Talk", ClientStreams: true, ServerStreams: true}
)

func (s *service) register(r grpc.ServiceRegistrar) {
	streams := []grpc.StreamDesc{*watch, *talk}
	for i := range streams {
		streams[i].Handler = func(_ any, ss grpc.ServerStream) error { return s.stream(ss) }
	}
	r.RegisterService(&grpc.ServiceDesc{
		ServiceName: "inproc.test.Service",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "Unary",
			Handler: func(_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
				in := new(text)
				if err := decode(in); err != nil {
					return nil, err
				}
				handler := func(ctx context.Context, in any) (any, error) { return s.unary(ctx, in.(*text)) }
				if interceptor == nil {
					return handler(ctx, in)
				}
				return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: s, FullMethod: unaryMethod}, handler)
			},
		}},
		Streams: streams,
	}, s)
}

// start makes a connection to services that pass the interceptors of o.
type start func(t testing.TB, o inproc.Options, register ...func(grpc.ServiceRegistrar)) grpc.ClientConnInterface

func startInproc(_ testing.TB, o inproc.Options, register ...func(grpc.ServiceRegistrar)) grpc.ClientConnInterface {
	c := inproc.New(o)
	for _, r := range register {
		r(c)
	}
	return &connection{c}
}

// connection makes the calls of clients through a Channel.
type connection struct{ *inproc.Channel }

// Invoke makes a call whose request is a copy of args. It fills in a copy of the
// response, and of the options it knows [grpc.Header] alone.
func (c *connection) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	response, header, err := c.Call(ctx, method, func(request any) error {
		if args != nil {
			proto.Merge(request.(proto.Message), args.(proto.Message))
		}
		return nil
	})
	for _, o := range opts {
		if o, ok := o.(grpc.HeaderCallOption); ok {
			*o.HeaderAddr = header
		}
	}
	if err != nil {
		return err
	}
	proto.Reset(reply.(proto.Message))
	if response != nil {
		proto.Merge(reply.(proto.Message), response.(proto.Message))
	}
	return nil
}

func (c *connection) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("a Channel has no client streams")
}

func startGRPC(t testing.TB, o inproc.Options, register ...func(grpc.ServiceRegistrar)) grpc.ClientConnInterface {
	t.Helper()
	lis := bufconn.Listen(1 << 20)
	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(o.Unary...), grpc.ChainStreamInterceptor(o.Stream...), grpc.WaitForHandlers(true))
	for _, r := range register {
		r(server)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	conn, err := grpc.NewClient("passthrough:///inproc",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.Stop()
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	})
	return conn
}

// onBoth runs one test against a grpc-go server and against a Channel: whatever
// it asserts holds for either.
func onBoth(t *testing.T, test func(t *testing.T, start start)) {
	t.Helper()
	t.Run("grpc", func(t *testing.T) { test(t, startGRPC) })
	t.Run("inproc", func(t *testing.T) { test(t, startInproc) })
}

// onBothInBubble is onBoth with a clock that goes on only when all else waits.
func onBothInBubble(t *testing.T, test func(t *testing.T, start start)) {
	t.Helper()
	onBoth(t, func(t *testing.T, start start) {
		synctest.Test(t, func(t *testing.T) { test(t, start) })
	})
}

// streamError calls a streaming method that is expected to fail.
func streamError(ctx context.Context, cc grpc.ClientConnInterface, method string) error {
	if c, ok := cc.(*connection); ok {
		return c.Serve(ctx, method, new(ends))
	}
	cs, err := cc.NewStream(ctx, talk, method)
	if err == nil { // a socket's client learns it only from the response
		err = cs.RecvMsg(new(text))
	}
	return err
}

// wantStatus fails the test unless err is a status with this code and message.
func wantStatus(t testing.TB, err error, code codes.Code, message string) {
	t.Helper()
	wantCode(t, err, code)
	if got := status.Convert(err).Message(); got != message {
		t.Errorf("message = %q, want %q", got, message)
	}
}

// wantCode fails the test unless err is a status with this code.
func wantCode(t testing.TB, err error, code codes.Code) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v", code)
	}
	s, ok := status.FromError(err)
	if !ok {
		t.Fatalf("error %v (%T) is not a status, want %v", err, err, code)
	}
	if s.Code() != code {
		t.Fatalf("code = %v (%s), want %v", s.Code(), s.Message(), code)
	}
}

func say(s string) *text { return wrapperspb.String(s) }
