package inproc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/inproc"
	"github.com/digate/digate/test/await"
)

// ends is the caller's end of a stream. It hands out what in holds and traces what
// it is sent. It panics where Serve calls what it promises not to call.
type ends struct {
	grpc.ServerStream
	in   []string
	full error  // of SendMsg
	hold func() // runs within SendMsg
	out  []string
}

func (e *ends) RecvMsg(m any) error {
	if len(e.in) == 0 {
		return io.EOF
	}
	m.(*text).Value, e.in = e.in[0], e.in[1:]
	return nil
}

func (e *ends) SendMsg(m any) error {
	if e.hold != nil {
		e.hold()
	}
	if e.full != nil {
		return e.full
	}
	e.out = append(e.out, "message "+m.(*text).Value)
	return nil
}

func (e *ends) SendHeader(md metadata.MD) error {
	e.out = append(e.out, fmt.Sprint("header ", map[string][]string(md)))
	return nil
}

func (e *ends) SetTrailer(md metadata.MD) {
	e.out = append(e.out, fmt.Sprint("trailer ", map[string][]string(md)))
}

func newChannel(o inproc.Options, handler func(s *grpc.GenericServerStream[text, text]) error) *inproc.Channel {
	c := inproc.New(o)
	(&service{stream: func(ss grpc.ServerStream) error {
		return handler(&grpc.GenericServerStream[text, text]{ServerStream: ss})
	}}).register(c)
	return c
}

func TestServe_Messages_PassInOrderBothWays(t *testing.T) {
	t.Parallel()
	c := newChannel(inproc.Options{}, func(s *grpc.GenericServerStream[text, text]) error {
		for {
			m, err := s.Recv()
			if err == io.EOF {
				return s.Send(say("bye"))
			}
			if err := errors.Join(err, s.Send(say("re: "+m.GetValue()))); err != nil {
				return err
			}
		}
	})
	e := &ends{in: []string{"a", "b"}}
	if err := c.Serve(t.Context(), talkMethod, e); err != nil {
		t.Error(err)
	}
	if want := []string{"message re: a", "message re: b", "message bye"}; !slices.Equal(e.out, want) {
		t.Errorf("got %q, want %q", e.out, want)
	}
}

func TestServe_HandlerFailure_BecomesStatus(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     error
		code    codes.Code
		message string
	}{
		"status":   {status.Error(codes.Aborted, "no more"), codes.Aborted, "no more"},
		"wrapped":  {fmt.Errorf("x: %w", status.Error(codes.Aborted, "no")), codes.Aborted, "x: rpc error: code = Aborted desc = no"},
		"other":    {errors.New("disk full"), codes.Unknown, "disk full"},
		"EOF":      {io.EOF, codes.Unknown, "EOF"},
		"deadline": {context.DeadlineExceeded, codes.DeadlineExceeded, "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			channel := newChannel(inproc.Options{}, func(*grpc.GenericServerStream[text, text]) error { return c.err })
			wantStatus(t, channel.Serve(t.Context(), talkMethod, new(ends)), c.code, c.message)
		})
	}
}

// The status of a call outranks the end of its context.
func TestServe_ContextEndsAsTheHandlerFails_TheHandlersStatusCounts(t *testing.T) {
	t.Parallel()
	for range 1000 {
		ctx, cancel := context.WithCancel(t.Context())
		c := newChannel(inproc.Options{}, func(*grpc.GenericServerStream[text, text]) error {
			go cancel()
			return status.Error(codes.Aborted, "no more")
		})
		wantStatus(t, c.Serve(ctx, talkMethod, new(ends)), codes.Aborted, "no more")
		cancel()
	}
}

func TestServe_NotCallable_HandlerIsNotCalled(t *testing.T) {
	t.Parallel()
	c := newChannel(inproc.Options{}, func(*grpc.GenericServerStream[text, text]) error {
		t.Error("the handler was called")
		return nil
	})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]struct {
		ctx    context.Context
		method string
		code   codes.Code
	}{
		"ended context":   {ended, talkMethod, codes.Canceled},
		"unknown method":  {t.Context(), "/inproc.test.Service/Other", codes.Unimplemented},
		"unknown service": {t.Context(), "/other.Service/Talk", codes.Unimplemented},
		"unary method":    {t.Context(), unaryMethod, codes.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			e := new(ends)
			wantCode(t, c.Serve(call.ctx, call.method, e), call.code)
			if len(e.out) != 0 {
				t.Errorf("sent %q", e.out)
			}
		})
	}
}

// noted is a ServerStream that an interceptor has wrapped.
type noted struct {
	grpc.ServerStream
	note func(string)
}

func (n noted) SendMsg(m any) error {
	n.note("send " + m.(*text).GetValue())
	return n.ServerStream.SendMsg(m)
}

func TestServe_Interceptors_RunInOrderAndMayWrap(t *testing.T) {
	t.Parallel()
	var trace []string
	around := func(name string) grpc.StreamServerInterceptor {
		note := func(what string) { trace = append(trace, name+" "+what) }
		return func(impl any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if info.FullMethod != watchMethod || info.IsClientStream || !info.IsServerStream {
				t.Errorf("info = %+v", info)
			}
			note("in")
			defer note("out")
			return next(impl, noted{ss, note})
		}
	}
	c := newChannel(inproc.Options{Stream: []grpc.StreamServerInterceptor{around("a"), around("b"), around("c")}},
		func(s *grpc.GenericServerStream[text, text]) error { return s.Send(say("x")) })
	if err := c.Serve(t.Context(), watchMethod, new(ends)); err != nil {
		t.Fatal(err)
	}
	want := "a in, b in, c in, c send x, b send x, a send x, c out, b out, a out"
	if got := strings.Join(trace, ", "); got != want {
		t.Errorf("trace = %s, want %s", got, want)
	}
}

func TestServe_HeaderAndTrailer_GoOutOnceAndInTheirPlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler func(s *grpc.GenericServerStream[text, text]) error
		want    []string
	}{
		"before the first message": {func(s *grpc.GenericServerStream[text, text]) error {
			err := errors.Join(s.SetHeader(metadata.Pairs("h", "1")), grpc.SetHeader(s.Context(), metadata.Pairs("h", "2")), s.Send(say("x")), s.Send(say("y")))
			s.SetTrailer(metadata.Pairs("t", "1"))
			s.SetTrailer(metadata.Pairs("t", "2"))
			wantCode(t, s.SetHeader(metadata.Pairs("h", "3")), codes.Internal)
			wantCode(t, s.SendHeader(nil), codes.Internal)
			return err
		}, []string{"header map[h:[1 2]]", "message x", "message y", "trailer map[t:[1 2]]"}},
		"without a message": {func(s *grpc.GenericServerStream[text, text]) error {
			return s.SetHeader(metadata.Pairs("h", "1"))
		}, []string{"header map[h:[1]]"}},
		"none": {func(s *grpc.GenericServerStream[text, text]) error {
			return s.Send(say("x"))
		}, []string{"message x"}},
		"invalid": {func(s *grpc.GenericServerStream[text, text]) error {
			wantCode(t, s.SetHeader(metadata.Pairs("a b", "x")), codes.Internal)
			wantCode(t, s.SendHeader(metadata.Pairs("k", "x\ny")), codes.Internal)
			s.SetTrailer(metadata.Pairs("a b", "x"))
			return nil
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			e := new(ends)
			if err := newChannel(inproc.Options{}, c.handler).Serve(t.Context(), talkMethod, e); err != nil {
				t.Error(err)
			}
			if !slices.Equal(e.out, c.want) {
				t.Errorf("got %q, want %q", e.out, c.want)
			}
		})
	}
}

func TestServe_IncomingMetadata_ReachesHandler(t *testing.T) {
	t.Parallel()
	c := newChannel(inproc.Options{}, func(s *grpc.GenericServerStream[text, text]) error {
		method, _ := grpc.MethodFromServerStream(s)
		return s.Send(say(fmt.Sprint(method, metadata.ValueFromIncomingContext(s.Context(), "k"))))
	})
	e := new(ends)
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("k", "1", "k", "2"))
	if err := c.Serve(ctx, talkMethod, e); err != nil || !slices.Equal(e.out, []string{"message " + talkMethod + "[1 2]"}) {
		t.Errorf("got %q, %v", e.out, err)
	}
}

func TestServe_ContextEnds_HandlerReceivesAndSendsNoMore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	e := &ends{in: []string{"x"}}
	c := newChannel(inproc.Options{}, func(s *grpc.GenericServerStream[text, text]) error {
		cancel()
		wantCode(t, s.Send(say("x")), codes.Canceled)
		_, err := s.Recv()
		return err
	})
	wantCode(t, c.Serve(ctx, talkMethod, e), codes.Canceled)
	if len(e.out) != 0 || len(e.in) != 1 {
		t.Errorf("sent %q, left %q", e.out, e.in)
	}
}

// A handler that reads only, and leaves its results to goroutines, learns by
// reading that nobody takes them.
func TestServe_SendFails_TheStreamIsOver(t *testing.T) {
	t.Parallel()
	e := &ends{in: []string{"x"}, full: errors.New("gone")}
	c := newChannel(inproc.Options{}, func(s *grpc.GenericServerStream[text, text]) error {
		wantStatus(t, s.Send(say("x")), codes.Unknown, "gone")
		await.Value(t, s.Context().Done(), "the end of the context")
		_, err := s.Recv()
		return err
	})
	wantCode(t, c.Serve(t.Context(), talkMethod, e), codes.Canceled)
}

func TestServe_HandlerReturned_ItsGoroutinesCanSendNothing(t *testing.T) {
	t.Parallel()
	for range 1000 {
		var wg sync.WaitGroup
		c := newChannel(inproc.Options{}, func(s *grpc.GenericServerStream[text, text]) error {
			for range 4 {
				wg.Go(func() {
					<-s.Context().Done() // it ends with the handler at the latest
					wantCode(t, s.Send(say("late")), codes.Canceled)
					if _, err := s.Recv(); status.Code(err) != codes.Canceled {
						t.Errorf("Recv = %v", err)
					}
				})
			}
			return nil
		})
		e := new(ends)
		if err := c.Serve(t.Context(), talkMethod, e); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(e.out, "message late") {
			t.Fatal("a message was sent after the handler had returned")
		}
		wg.Wait()
		if slices.Contains(e.out, "message late") {
			t.Fatal("a message was sent after Serve had returned")
		}
	}
}

func TestServe_MessageUnderWayAsTheHandlerReturns_IsWaitedFor(t *testing.T) {
	t.Parallel()
	for range 100 {
		sending := make(chan struct{})
		e := new(ends)
		c := newChannel(inproc.Options{}, func(s *grpc.GenericServerStream[text, text]) error {
			e.hold = func() {
				close(sending)
				<-s.Context().Done() // the handler has returned
				runtime.Gosched()
			}
			go func() { _ = s.Send(say("x")) }()
			<-sending
			return nil
		})
		if err := c.Serve(t.Context(), talkMethod, e); err != nil {
			t.Error(err)
		}
		if !slices.Equal(e.out, []string{"message x"}) {
			t.Fatalf("got %q when Serve had returned", e.out)
		}
	}
}

func TestServe_HandlerPanics_UnwindsToCallerAndEndsTheStream(t *testing.T) {
	t.Parallel()
	var handler grpc.ServerStream
	c := newChannel(inproc.Options{}, func(s *grpc.GenericServerStream[text, text]) error {
		handler = s
		panic("oh")
	})
	if got := panicOf(func() { _ = c.Serve(t.Context(), talkMethod, new(ends)) }); got != "oh" {
		t.Errorf("panic = %v", got)
	}
	if handler.Context().Err() == nil {
		t.Error("the handler's context outlives it")
	}
	wantCode(t, handler.SendMsg(say("x")), codes.Canceled)
}

func TestServe_HandlerEndsItsGoroutine_TheStreamEnds(t *testing.T) {
	t.Parallel()
	streams := make(chan grpc.ServerStream, 1)
	c := newChannel(inproc.Options{}, func(s *grpc.GenericServerStream[text, text]) error {
		streams <- s
		runtime.Goexit()
		return nil
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Serve(t.Context(), talkMethod, new(ends))
	}()
	await.Value(t, ended, "the goroutine")
	wantCode(t, (<-streams).SendMsg(say("x")), codes.Canceled)
}
