package server_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/digate/digate/server"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/secret"
)

// echo describes a service that is not digate's, with a unary method and a stream.
var echo = grpc.ServiceDesc{
	ServiceName: "suite.Echo",
	Methods: []grpc.MethodDesc{{MethodName: "Unary", Handler: func(_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		req := new(emptypb.Empty)
		if err := decode(req); err != nil {
			return nil, err
		}
		return interceptor(ctx, req, &grpc.UnaryServerInfo{FullMethod: "/suite.Echo/Unary"}, func(context.Context, any) (any, error) { return req, nil })
	}}},
	Streams: []grpc.StreamDesc{{StreamName: "Stream", ServerStreams: true, Handler: func(_ any, ss grpc.ServerStream) error {
		req := new(emptypb.Empty)
		if err := ss.RecvMsg(req); err != nil {
			return err
		}
		return ss.SendMsg(req)
	}}},
}

// callEcho calls both methods of the service, and returns their errors.
func callEcho(t *testing.T, o server.Options) (unary, stream error) {
	t.Helper()
	o.Version, o.Log = "test", logger(new(record))
	o.Services = func(r grpc.ServiceRegistrar) { r.RegisterService(&echo, nil) }
	s, err := server.New(t.Context(), settings(t, "http://127.0.0.1:1"), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	conn := dial(t, s.GRPCAddr().String())
	unary = conn.Invoke(t.Context(), "/suite.Echo/Unary", new(emptypb.Empty), new(emptypb.Empty))
	ss, err := conn.NewStream(t.Context(), &echo.Streams[0], "/suite.Echo/Stream")
	if err != nil {
		t.Fatal(err)
	}
	if err := ss.SendMsg(new(emptypb.Empty)); err != nil {
		t.Fatal(err)
	}
	_ = ss.CloseSend()
	return unary, ss.RecvMsg(new(emptypb.Empty))
}

// A service beside digate's own is no way around the authentication.
func TestServices_CallWithoutCredential_IsRefusedAsAnyOther(t *testing.T) {
	unary, stream := callEcho(t, server.Options{})
	for name, err := range map[string]error{"unary": unary, "stream": stream} {
		if status.Code(err) != codes.Unauthenticated || apierror.FromError(err).Reason != apierror.ReasonMissingCredential {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// everybody is an authenticator that lets everybody in.
type everybody struct{ closed int }

func (*everybody) Authenticate(context.Context, authn.Request) (*authn.Principal, error) {
	return authn.NewPrincipal(secret.New("t"), func(string) string { return "everybody" }), nil
}

func (a *everybody) Close() error { a.closed++; return nil }

func TestServices_AuthenticatorOfTheOptions_DecidesAndIsClosed(t *testing.T) {
	a := new(everybody)
	unary, stream := callEcho(t, server.Options{Authenticator: a})
	if unary != nil || stream != nil {
		t.Errorf("got %v and %v", unary, stream)
	}
	if a.closed != 1 {
		t.Errorf("the authenticator was closed %d times", a.closed)
	}
}
