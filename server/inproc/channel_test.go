package inproc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

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
					t.Errorf("panic = %q, want it to say %q", message, want)
				}
			}
		})
	}
}

func TestCall_WrongKindOfMethod_IsInternal(t *testing.T) {
	cc := startInproc(t, inproc.Options{}, new(service).register)
	wantCode(t, cc.Invoke(t.Context(), talkMethod, new(text), new(text)), codes.Internal)
	_, err := cc.NewStream(t.Context(), talk, unaryMethod)
	wantCode(t, err, codes.Internal)
}

// otherOption is an option of some client interceptor.
type otherOption struct{ grpc.EmptyCallOption }

func TestCall_OptionWithoutEffect_IsRefusedUnlessHarmless(t *testing.T) {
	refused := map[string]grpc.CallOption{
		"credentials":        grpc.PerRPCCredentials(nil),
		"authority":          grpc.CallAuthority("example.org"),
		"codec":              grpc.ForceCodecV2(encoding.GetCodecV2("proto")),
		"content subtype":    grpc.CallContentSubtype("json"),
		"callback":           grpc.OnFinish(func(error) {}),
		"interceptor option": otherOption{},
	}
	harmless := map[string]grpc.CallOption{
		"empty":           grpc.EmptyCallOption{},
		"static method":   grpc.StaticMethod(),
		"wait for ready":  grpc.WaitForReady(true),
		"compressor":      grpc.UseCompressor("gzip"),
		"receive limit":   grpc.MaxCallRecvMsgSize(1),
		"send limit":      grpc.MaxCallSendMsgSize(1),
		"retry buffering": grpc.MaxRetryRPCBufferSize(1),
	}
	s := &service{
		unary:  func(_ context.Context, in *text) (any, error) { return in, nil },
		stream: func(grpc.ServerStream) error { return nil },
	}
	cc := startInproc(t, inproc.Options{}, s.register)
	for name, o := range refused {
		t.Run(name, func(t *testing.T) {
			_, err := call(t.Context(), cc, "x", o)
			wantCode(t, err, codes.Internal)
			_, err = cc.NewStream(t.Context(), talk, talkMethod, o)
			wantCode(t, err, codes.Internal)
		})
	}
	for name, o := range harmless {
		t.Run(name, func(t *testing.T) {
			if _, err := call(t.Context(), cc, "x", o); err != nil {
				t.Error(err)
			}
			if _, err := drain(open(t, t.Context(), cc, talk, o)); err != io.EOF {
				t.Error(err)
			}
		})
	}
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
	if _, err := drain(open(t, ctx, cc, talk)); err != io.EOF {
		t.Error(err)
	}
}

func TestInvoke_HandlerAnswersAfterDeadline_AnswerCounts(t *testing.T) {
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

func TestStream_CancelledWithMessagesWaiting_HandlerGetsNoMore(t *testing.T) {
	cancelled, received := make(chan struct{}), make(chan error, 1)
	s := served(func(s *grpc.GenericServerStream[text, text]) error {
		<-cancelled
		_, err := s.Recv()
		received <- err
		return err
	})
	ctx, cancel := context.WithCancel(t.Context())
	stream := open(t, ctx, startInproc(t, inproc.Options{}, s.register), talk)
	if err := stream.Send(say("x")); err != nil {
		t.Fatal(err)
	}
	cancel()
	close(cancelled)
	wantCode(t, await(t, received, "Recv"), codes.Canceled)
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

func TestStream_HandlerPanics_RecvMsgPanicsWithItsStack(t *testing.T) {
	cause := errors.New("oh")
	s := served(func(s *grpc.GenericServerStream[text, text]) error {
		if err := s.Send(say("so far")); err != nil {
			return err
		}
		panic(cause)
	})
	stream := open(t, t.Context(), startInproc(t, inproc.Options{}, s.register), talk)
	if m, err := stream.Recv(); err != nil || m.GetValue() != "so far" {
		t.Fatalf("got %v, %v", m, err)
	}
	for range 2 {
		p, ok := panicOf(func() { _, _ = stream.Recv() }).(*inproc.HandlerPanic)
		if !ok {
			t.Fatal("Recv has not panicked with a *HandlerPanic")
		}
		if !errors.Is(p, cause) || p.Value != any(cause) || p.Method != talkMethod {
			t.Errorf("panic = %+v", p)
		}
		if !strings.Contains(p.Error(), "TestStream_HandlerPanics") || !strings.Contains(p.Error(), talkMethod) {
			t.Errorf("the error does not lead to the handler: %v", p)
		}
	}
	if err := stream.Send(say("x")); err != io.EOF {
		t.Errorf("Send = %v, want io.EOF", err)
	}
}

func TestStream_HandlerPanicsWithNoError_UnwrapIsNil(t *testing.T) {
	if err := (&inproc.HandlerPanic{Value: "oh"}).Unwrap(); err != nil {
		t.Errorf("Unwrap = %v", err)
	}
}

func TestStream_HandlerPanicsAfterClientLeft_ProcessLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			<-s.Context().Done()
			panic("oh")
		})
		ctx, cancel := context.WithCancel(t.Context())
		open(t, ctx, startInproc(t, inproc.Options{}, s.register), talk)
		cancel()
		synctest.Wait()
	})
}

func TestStream_HandlerEndsItsGoroutine_ClientGetsInternal(t *testing.T) {
	s := served(func(*grpc.GenericServerStream[text, text]) error {
		runtime.Goexit()
		return nil
	})
	_, err := open(t, t.Context(), startInproc(t, inproc.Options{}, s.register), talk).Recv()
	wantCode(t, err, codes.Internal)
}

func TestStream_SlowReceiver_StopsSender(t *testing.T) {
	t.Run("client reads slowly", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			sent := 0
			s := served(func(s *grpc.GenericServerStream[text, text]) error {
				for ; ; sent++ {
					if err := s.Send(say("x")); err != nil {
						return err
					}
				}
			})
			ctx, cancel := context.WithCancel(t.Context())
			stream := open(t, ctx, startInproc(t, inproc.Options{}, s.register), talk)
			synctest.Wait()
			ahead := sent
			if ahead == 0 || ahead > 16 {
				t.Errorf("%d messages sent that nobody reads", ahead)
			}
			for range 3 {
				if _, err := stream.Recv(); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			if sent != ahead+3 {
				t.Errorf("%d messages sent after 3 were read, want %d", sent, ahead+3)
			}
			cancel()
			synctest.Wait() // the bubble does not end before the handler
		})
	})
	t.Run("handler reads slowly", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			read := make(chan struct{})
			s := served(func(s *grpc.GenericServerStream[text, text]) error {
				for range read {
					if _, err := s.Recv(); err != nil {
						return err
					}
				}
				return status.Error(codes.Aborted, "enough")
			})
			stream := open(t, t.Context(), startInproc(t, inproc.Options{}, s.register), talk)
			sent := 0
			var err error
			go func() {
				for ; err == nil; sent++ {
					err = stream.Send(say("x"))
				}
			}()
			synctest.Wait()
			ahead := sent
			if ahead == 0 || ahead > 16 {
				t.Errorf("%d messages sent that nobody reads", ahead)
			}
			read <- struct{}{}
			synctest.Wait()
			if sent != ahead+1 {
				t.Errorf("%d messages sent after 1 was read, want %d", sent, ahead+1)
			}
			close(read) // the handler returns while Send waits for it
			synctest.Wait()
			if err != io.EOF {
				t.Errorf("Send = %v, want io.EOF", err)
			}
			_, err = stream.Recv()
			wantCode(t, err, codes.Aborted)
		})
	})
}
