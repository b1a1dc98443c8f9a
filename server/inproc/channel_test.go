package inproc_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"

	"github.com/digate/digate/server/inproc"
)

// panicOf returns what f panics with.
func panicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func TestRegisterService_Mistake_PanicsWithNames(t *testing.T) {
	c := inproc.New(inproc.Options{})
	healthpb.RegisterHealthServer(c, health.NewServer())
	cases := map[string]struct {
		register func()
		want     []string
	}{
		"twice": {
			func() { healthpb.RegisterHealthServer(c, health.NewServer()) },
			[]string{"grpc.health.v1.Health", "already registered"},
		},
		"not the interface": {
			func() { inproc.New(inproc.Options{}).RegisterService(&healthpb.Health_ServiceDesc, &service{}) },
			[]string{"grpc.health.v1.Health", "*inproc_test.service does not implement grpc_health_v1.HealthServer"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			message, _ := panicOf(c.register).(string)
			for _, want := range c.want {
				if !strings.Contains(message, want) {
					t.Errorf("panic = %q, want %q in it", message, want)
				}
			}
		})
	}
}

func TestCall_WrongKindOfMethod_IsInternal(t *testing.T) {
	cc := startInproc(t, inproc.Options{}, new(service).register)
	wantCode(t, cc.Invoke(t.Context(), talkMethod, new(text), new(text)), codes.Internal)
	wantCode(t, cc.(*connection).Serve(t.Context(), unaryMethod, new(ends)), codes.Internal)
}

type valueKey struct{}

func TestCall_CallersValuesAndPeer_ReachHandler(t *testing.T) {
	ctx := context.WithValue(t.Context(), valueKey{}, "exchange")
	ctx = peer.NewContext(ctx, &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}})
	check := func(ctx context.Context) error {
		p, _ := peer.FromContext(ctx)
		if ctx.Value(valueKey{}) != "exchange" || p.Addr.String() != "192.0.2.1:80" {
			t.Errorf("value = %v, peer = %v", ctx.Value(valueKey{}), p)
		}
		return nil
	}
	s := &service{
		unary:  func(ctx context.Context, _ *text) (any, error) { return nil, check(ctx) },
		stream: func(ss grpc.ServerStream) error { return check(ss.Context()) },
	}
	cc := startInproc(t, inproc.Options{}, s.register)
	if _, err := call(ctx, cc, "x"); err != nil {
		t.Error(err)
	}
	if err := cc.(*connection).Serve(ctx, talkMethod, new(ends)); err != nil {
		t.Error(err)
	}
}

func TestInvoke_HandlerRespondsAfterDeadline_ResponseCounts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &service{unary: func(ctx context.Context, _ *text) (any, error) {
		cancel()
		<-ctx.Done()
		return say("created all the same"), nil
	}}
	got, err := call(ctx, startInproc(t, inproc.Options{}, s.register), "x")
	if err != nil || got != "created all the same" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestInvoke_HandlerPanics_UnwindsToCaller(t *testing.T) {
	var handler context.Context
	s := &service{unary: func(ctx context.Context, _ *text) (any, error) {
		handler = ctx
		panic("oh")
	}}
	cc := startInproc(t, inproc.Options{}, s.register)
	if got := panicOf(func() { _, _ = call(t.Context(), cc, "x") }); got != "oh" {
		t.Errorf("panic = %v", got)
	}
	if handler.Err() == nil {
		t.Error("the handler's context outlives it")
	}
}
