package inproc_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/server/inproc"
)

// open starts a stream as generated code does.
func open(t testing.TB, ctx context.Context, cc grpc.ClientConnInterface, desc *grpc.StreamDesc, opts ...grpc.CallOption) *grpc.GenericClientStream[text, text] {
	t.Helper()
	cs, err := cc.NewStream(ctx, desc, "/inproc.test.Service/"+desc.StreamName, opts...)
	if err != nil {
		t.Fatal(err)
	}
	stream := &grpc.GenericClientStream[text, text]{ClientStream: cs}
	if !desc.ClientStreams {
		if err := stream.Send(say("request")); err != nil {
			t.Fatal(err)
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
	}
	return stream
}

// served makes a service of a streaming handler.
func served(handler func(s *grpc.GenericServerStream[text, text]) error) *service {
	return &service{stream: func(ss grpc.ServerStream) error {
		return handler(&grpc.GenericServerStream[text, text]{ServerStream: ss})
	}}
}

// drain receives until the stream ends.
func drain(s *grpc.GenericClientStream[text, text]) (got []string, err error) {
	for {
		m, err := s.Recv()
		if err != nil {
			return got, err
		}
		got = append(got, m.GetValue())
	}
}

func TestServerStream_ManyMessages_ArriveInOrderThenEOF(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		const n = 100
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			in, err := s.Recv()
			if err != nil {
				return err
			}
			if _, err := s.Recv(); err != io.EOF {
				t.Errorf("after the only request: %v, want io.EOF", err)
			}
			for i := range n {
				if err := s.Send(say(in.GetValue() + strconv.Itoa(i))); err != nil {
					return err
				}
			}
			return nil
		})
		stream := open(t, t.Context(), start(t, inproc.Options{}, s.register), watch)
		got, err := drain(stream)
		if err != io.EOF || len(got) != n || got[0] != "request0" || got[n-1] != "request99" || !slices.IsSortedFunc(got, byLength) {
			t.Errorf("got %d messages, %v: %q", len(got), err, got)
		}
		if _, err := stream.Recv(); err != io.EOF {
			t.Errorf("after the end: %v, want io.EOF again", err)
		}
	})
}

func byLength(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func TestClientStream_ManyMessages_OneResponse(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			var all strings.Builder
			for {
				m, err := s.Recv()
				if err == io.EOF {
					return s.SendAndClose(say(all.String()))
				}
				if err != nil {
					return err
				}
				all.WriteString(m.GetValue())
			}
		})
		var trailer metadata.MD
		stream := open(t, t.Context(), start(t, inproc.Options{}, s.register), upload, grpc.Trailer(&trailer))
		for i := range 30 {
			if err := stream.Send(say(strconv.Itoa(i))); err != nil {
				t.Fatal(err)
			}
		}
		got, err := stream.CloseAndRecv()
		if err != nil || !strings.HasPrefix(got.GetValue(), "0123") || !strings.HasSuffix(got.GetValue(), "2829") {
			t.Errorf("got %v, %v", got, err)
		}
		if trailer == nil {
			t.Error("no trailer although the call has ended")
		}
	})
}

func TestBidi_TurnsThenHalfClose_ServerMaySendOn(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			for {
				m, err := s.Recv()
				if err == io.EOF {
					return errors.Join(s.Send(say("bye")), s.Send(say("bye bye")))
				}
				if err != nil {
					return err
				}
				if err := s.Send(say("re: " + m.GetValue())); err != nil {
					return err
				}
			}
		})
		stream := open(t, t.Context(), start(t, inproc.Options{}, s.register), talk)
		for _, word := range []string{"a", "b"} {
			if err := stream.Send(say(word)); err != nil {
				t.Fatal(err)
			}
			if m, err := stream.Recv(); err != nil || m.GetValue() != "re: "+word {
				t.Fatalf("got %v, %v", m, err)
			}
		}
		for range 2 {
			if err := stream.CloseSend(); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := drain(stream); err != io.EOF || !slices.Equal(got, []string{"bye", "bye bye"}) {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestBidi_ServerSpeaksFirst_NeedsNoRequest(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		s := served(func(s *grpc.GenericServerStream[text, text]) error { return s.Send(say("welcome")) })
		stream := open(t, t.Context(), start(t, inproc.Options{}, s.register), talk)
		if got, err := drain(stream); err != io.EOF || !slices.Equal(got, []string{"welcome"}) {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestServerStream_OneSend_ClosesTheClientsSide(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			m, err := s.Recv()
			if err != nil {
				return err
			}
			return s.Send(m)
		})
		cs, err := start(t, inproc.Options{}, s.register).NewStream(t.Context(), watch, watchMethod)
		if err != nil {
			t.Fatal(err)
		}
		if err := cs.SendMsg(say("x")); err != nil {
			t.Fatal(err)
		}
		out := new(text)
		if err := cs.RecvMsg(out); err != nil || out.GetValue() != "x" {
			t.Errorf("got %v, %v", out, err)
		}
		wantCode(t, cs.SendMsg(say("y")), codes.Internal)
	})
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

func TestStream_Interceptors_RunInOrderAndMayWrap(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		var mu sync.Mutex
		var trace []string
		around := func(name string) grpc.StreamServerInterceptor {
			note := func(what string) {
				mu.Lock()
				defer mu.Unlock()
				trace = append(trace, name+" "+what)
			}
			return func(impl any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
				if info.FullMethod != watchMethod || info.IsClientStream || !info.IsServerStream {
					t.Errorf("info = %+v", info)
				}
				note("in")
				defer note("out")
				return next(impl, noted{ss, note})
			}
		}
		s := served(func(s *grpc.GenericServerStream[text, text]) error { return s.Send(say("x")) })
		o := inproc.Options{Stream: []grpc.StreamServerInterceptor{around("a"), around("b"), around("c")}}
		if _, err := drain(open(t, t.Context(), start(t, o, s.register), watch)); err != io.EOF {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		want := "a in, b in, c in, c send x, b send x, a send x, c out, b out, a out"
		if got := strings.Join(trace, ", "); got != want {
			t.Errorf("trace = %s, want %s", got, want)
		}
	})
}

func TestStream_ManyAtOnce_StayApart(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			for {
				m, err := s.Recv()
				if err == io.EOF {
					return nil
				}
				if err != nil {
					return err
				}
				if err := s.Send(m); err != nil {
					return err
				}
			}
		})
		cc := start(t, inproc.Options{}, s.register)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				stream := open(t, t.Context(), cc, talk)
				wg.Go(func() {
					for j := range 100 {
						if err := stream.Send(say(strconv.Itoa(i*1000 + j))); err != nil {
							t.Error(err)
							return
						}
					}
					if err := stream.CloseSend(); err != nil {
						t.Error(err)
					}
				})
				got, err := drain(stream)
				if err != io.EOF || len(got) != 100 || got[0] != strconv.Itoa(i*1000) {
					t.Errorf("stream %d: %d messages, %v", i, len(got), err)
				}
			})
		}
		wg.Wait()
	})
}
