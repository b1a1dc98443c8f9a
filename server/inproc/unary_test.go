package inproc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/inproc"
	"github.com/digate/digate/test/await"
)

func call(ctx context.Context, cc grpc.ClientConnInterface, in string, opts ...grpc.CallOption) (string, error) {
	out := say("left over from another call")
	err := cc.Invoke(ctx, unaryMethod, say(in), out, opts...)
	return out.GetValue(), err
}

func TestInvoke_Success_CarriesRequestAndReply(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		s := &service{unary: func(_ context.Context, in *text) (any, error) { return say(in.GetValue() + "!"), nil }}
		got, err := call(t.Context(), start(t, inproc.Options{}, s.register), "hello")
		if err != nil || got != "hello!" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestInvoke_NilReply_IsEmptyMessage(t *testing.T) {
	for name, reply := range map[string]any{"untyped": nil, "typed": (*text)(nil)} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, start start) {
				s := &service{unary: func(context.Context, *text) (any, error) { return reply, nil }}
				got, err := call(t.Context(), start(t, inproc.Options{}, s.register), "x")
				if err != nil || got != "" {
					t.Errorf("got %q, %v, want an empty message", got, err)
				}
			})
		})
	}
}

func TestInvoke_NilRequest_IsEmptyMessage(t *testing.T) {
	for name, req := range map[string]any{"untyped": nil, "typed": (*text)(nil)} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, start start) {
				s := &service{unary: func(_ context.Context, in *text) (any, error) { return say(in.GetValue() + "!"), nil }}
				out := new(text)
				err := start(t, inproc.Options{}, s.register).Invoke(t.Context(), unaryMethod, req, out)
				if err != nil || out.GetValue() != "!" {
					t.Errorf("got %q, %v", out.GetValue(), err)
				}
			})
		})
	}
}

// okError is a failure that calls itself OK.
type okError struct{}

func (okError) Error() string              { return "not really" }
func (okError) GRPCStatus() *status.Status { return status.New(codes.OK, "") }

func TestInvoke_HandlerError_BecomesStatus(t *testing.T) {
	cases := map[string]struct {
		err     error
		code    codes.Code
		message string
	}{
		"status":           {status.Error(codes.NotFound, "no such thing"), codes.NotFound, "no such thing"},
		"unusual text":     {status.Error(codes.Aborted, "à 100 %\n\x00"), codes.Aborted, "à 100 %\n\x00"},
		"unknown code":     {status.Error(codes.Code(77), "x"), codes.Code(77), "x"},
		"wrapped status":   {fmt.Errorf("while copying: %w", status.Error(codes.NotFound, "gone")), codes.NotFound, "while copying: rpc error: code = NotFound desc = gone"},
		"other":            {errors.New("disk full"), codes.Unknown, "disk full"},
		"deadline":         {context.DeadlineExceeded, codes.DeadlineExceeded, "context deadline exceeded"},
		"wrapped deadline": {fmt.Errorf("send: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "send: context deadline exceeded"},
		"cancelled":        {context.Canceled, codes.Canceled, "context canceled"},
		"EOF":              {io.EOF, codes.Unknown, "EOF"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, start start) {
				s := &service{unary: func(context.Context, *text) (any, error) { return nil, c.err }}
				_, err := call(t.Context(), start(t, inproc.Options{}, s.register), "x")
				wantStatus(t, err, c.code, c.message)
				if errors.Is(err, c.err) && status.Code(c.err) == codes.Unknown {
					t.Error("the handler's own error value has crossed over")
				}
			})
		})
	}
}

func TestInvoke_ErrorThatClaimsOK_IsNotASuccess(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		s := &service{unary: func(context.Context, *text) (any, error) { return nil, okError{} }}
		_, err := call(t.Context(), start(t, inproc.Options{}, s.register), "x")
		wantCode(t, err, codes.Internal)
	})
}

func TestInvoke_StatusDetails_AreKept(t *testing.T) {
	info := &errdetails.ErrorInfo{Reason: "TEMPLATE_GONE", Domain: "example.org", Metadata: map[string]string{"outcome": "REJECTED"}}
	onBoth(t, func(t *testing.T, start start) {
		s := &service{unary: func(context.Context, *text) (any, error) {
			st, err := status.New(codes.NotFound, "gone").WithDetails(info)
			if err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("copy: %w", st.Err())
		}}
		_, err := call(t.Context(), start(t, inproc.Options{}, s.register), "x")
		details := status.Convert(err).Details()
		if len(details) != 1 || !proto.Equal(details[0].(proto.Message), info) {
			t.Errorf("details = %v, want %v", details, info)
		}
	})
}

func TestCall_UnknownMethod_IsUnimplementedAsGRPCWordsIt(t *testing.T) {
	cases := map[string]string{
		"/no.such.Service/Unary":      "unknown service no.such.Service",
		"/inproc.test.Service/Nope":   "unknown method Nope for service inproc.test.Service",
		"/inproc.test.Service/":       "unknown method  for service inproc.test.Service",
		"/inproc.test.Service":        `malformed method name: "/inproc.test.Service"`,
		"inproc.test.Service/Unary":   `malformed method name: "inproc.test.Service/Unary"`,
		"/a/inproc.test.Service/Nope": "unknown service a/inproc.test.Service",
	}
	for method, message := range cases {
		t.Run(method, func(t *testing.T) {
			onBoth(t, func(t *testing.T, start start) {
				cc := start(t, inproc.Options{}, new(service).register)
				wantStatus(t, cc.Invoke(t.Context(), method, new(text), new(text)), codes.Unimplemented, message)

				wantStatus(t, streamError(t.Context(), cc, method), codes.Unimplemented, message)
			})
		})
	}
}

func TestInvoke_AfterReturn_HandlersContextIsOver(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		var handler context.Context
		s := &service{unary: func(ctx context.Context, _ *text) (any, error) {
			handler = ctx
			return new(text), nil
		}}
		if _, err := call(t.Context(), start(t, inproc.Options{}, s.register), "x"); err != nil {
			t.Fatal(err)
		}
		await.Value(t, handler.Done(), "the end of the handler's context")
		if !errors.Is(handler.Err(), context.Canceled) {
			t.Errorf("Err = %v", handler.Err())
		}
		if err := grpc.SetHeader(handler, metadata.Pairs("late", "1")); err == nil {
			t.Error("SetHeader succeeds after the call")
		}
		if err := grpc.SetTrailer(handler, metadata.Pairs("late", "1")); err == nil {
			t.Error("SetTrailer succeeds after the call")
		}
	})
}

func TestInvoke_Deadline_ReachesHandlerAndEndsCall(t *testing.T) {
	onBothInBubble(t, func(t *testing.T, start start) {
		deadlines := make(chan time.Time, 1)
		s := &service{unary: func(ctx context.Context, _ *text) (any, error) {
			d, _ := ctx.Deadline()
			deadlines <- d
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		cc := start(t, inproc.Options{}, s.register)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		want, _ := ctx.Deadline()
		_, err := call(ctx, cc, "x")
		wantCode(t, err, codes.DeadlineExceeded)
		if got := await.Value(t, deadlines, "the handler"); got.Sub(want).Abs() > time.Second {
			t.Errorf("the handler's deadline is %v from the caller's", got.Sub(want))
		}
	})
}

func TestInvoke_Cancel_ReachesHandlerAndEndsCall(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		seen := make(chan error, 1)
		s := &service{unary: func(ctx context.Context, _ *text) (any, error) {
			cancel()
			<-ctx.Done()
			seen <- ctx.Err()
			return nil, ctx.Err()
		}}
		_, err := call(ctx, start(t, inproc.Options{}, s.register), "x")
		wantStatus(t, err, codes.Canceled, "context canceled")
		if err := await.Value(t, seen, "the handler"); !errors.Is(err, context.Canceled) {
			t.Errorf("the handler saw %v", err)
		}
	})
}

func TestCall_ContextOverBefore_NeverReachesHandler(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for code, ctx := range map[codes.Code]context.Context{codes.Canceled: cancelled, codes.DeadlineExceeded: expired} {
		t.Run(code.String(), func(t *testing.T) {
			onBoth(t, func(t *testing.T, start start) {
				s := &service{
					unary:  func(context.Context, *text) (any, error) { t.Error("handler called"); return nil, nil },
					stream: func(grpc.ServerStream) error { t.Error("handler called"); return nil },
				}
				cc := start(t, inproc.Options{}, s.register)
				_, err := call(ctx, cc, "x")
				wantCode(t, err, code)
				err = streamError(ctx, cc, talkMethod)
				wantCode(t, err, code)
			})
		})
	}
}

func TestInvoke_Interceptors_RunInOrderAroundHandler(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		var trace []string
		around := func(name string) grpc.UnaryServerInterceptor {
			return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				method, _ := grpc.Method(ctx)
				if method != unaryMethod || info.FullMethod != unaryMethod {
					t.Errorf("method = %q, %q", method, info.FullMethod)
				}
				trace = append(trace, name, req.(*text).GetValue())
				resp, err := next(ctx, say(req.(*text).GetValue()+name))
				trace = append(trace, name)
				return resp, err
			}
		}
		s := &service{unary: func(_ context.Context, in *text) (any, error) { return in, nil }}
		o := inproc.Options{Unary: []grpc.UnaryServerInterceptor{around("a"), around("b"), around("c")}}
		cc := start(t, o, s.register)
		for range 2 {
			trace = nil
			got, err := call(t.Context(), cc, "-")
			if err != nil || got != "-abc" {
				t.Errorf("got %q, %v", got, err)
			}
			if want := "a - b -a c -ab c b a"; strings.Join(trace, " ") != want {
				t.Errorf("trace = %q, want %q", trace, want)
			}
		}
	})
}

func TestInvoke_InterceptorRefuses_HandlerIsNotCalled(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		s := &service{unary: func(context.Context, *text) (any, error) { t.Error("handler called"); return nil, nil }}
		refuse := func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
			return nil, status.Error(codes.PermissionDenied, "not you")
		}
		cc := start(t, inproc.Options{Unary: []grpc.UnaryServerInterceptor{refuse}}, s.register)
		_, err := call(t.Context(), cc, "x")
		wantStatus(t, err, codes.PermissionDenied, "not you")
	})
}
