package inproc_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/inproc"
)

func TestStream_HandlerFails_MessagesComeBeforeStatus(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			if err := errors.Join(
				s.SetHeader(metadata.Pairs("h", "1")), s.SendHeader(metadata.Pairs("h", "2")),
				s.Send(say("first"))); err != nil {
				return err
			}
			s.SetTrailer(metadata.Pairs("t", "1"))
			s.SetTrailer(metadata.Pairs("t", "2"))
			st, err := status.New(codes.ResourceExhausted, "enough").WithDetails(&errdetails.ErrorInfo{Reason: "FULL"})
			return errors.Join(err, st.Err())
		})
		var header, trailer metadata.MD
		stream := open(t, t.Context(), start(t, inproc.Options{}, s.register), watch, grpc.Header(&header), grpc.Trailer(&trailer))
		got, err := drain(stream)
		if !slices.Equal(got, []string{"first"}) {
			t.Errorf("got %q", got)
		}
		wantStatus(t, err, codes.ResourceExhausted, "rpc error: code = ResourceExhausted desc = enough")
		if details := status.Convert(err).Details(); len(details) != 1 || details[0].(*errdetails.ErrorInfo).GetReason() != "FULL" {
			t.Errorf("details = %v", details)
		}
		_, again := stream.Recv()
		wantStatus(t, again, codes.ResourceExhausted, status.Convert(err).Message())
		if !slices.Equal(header["h"], []string{"1", "2"}) || !slices.Equal(trailer["t"], []string{"1", "2"}) {
			t.Errorf("header = %q, trailer = %q", header["h"], trailer["t"])
		}
		if got := stream.Trailer()["t"]; !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("Trailer() = %q", got)
		}
	})
}

func TestStream_HandlerFailure_BecomesStatus(t *testing.T) {
	cases := map[string]struct {
		err     error
		code    codes.Code
		message string
	}{
		"other":    {errors.New("disk full"), codes.Unknown, "disk full"},
		"EOF":      {io.EOF, codes.Unknown, "EOF"},
		"deadline": {context.DeadlineExceeded, codes.DeadlineExceeded, "context deadline exceeded"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, start start) {
				s := served(func(*grpc.GenericServerStream[text, text]) error { return c.err })
				_, err := drain(open(t, t.Context(), start(t, inproc.Options{}, s.register), talk))
				wantStatus(t, err, c.code, c.message)
			})
		})
	}
}

func TestStream_WrongNumberOfMessages_IsInternal(t *testing.T) {
	none := func(s *grpc.GenericServerStream[text, text]) error { return nil }
	two := func(s *grpc.GenericServerStream[text, text]) error {
		return errors.Join(s.Send(say("1")), s.Send(say("2")))
	}
	t.Run("no response", func(t *testing.T) {
		onBoth(t, func(t *testing.T, start start) {
			_, err := open(t, t.Context(), start(t, inproc.Options{}, served(none).register), upload).CloseAndRecv()
			wantCode(t, err, codes.Internal)
		})
	})
	t.Run("two responses", func(t *testing.T) {
		onBoth(t, func(t *testing.T, start start) {
			_, err := open(t, t.Context(), start(t, inproc.Options{}, served(two).register), upload).CloseAndRecv()
			wantCode(t, err, codes.Internal)
		})
	})
	receive := func(s *grpc.GenericServerStream[text, text]) error {
		_, err := s.Recv()
		return err
	}
	t.Run("no request", func(t *testing.T) {
		onBoth(t, func(t *testing.T, start start) {
			cs, err := start(t, inproc.Options{}, served(receive).register).NewStream(t.Context(), watch, watchMethod)
			if err != nil {
				t.Fatal(err)
			}
			if err := cs.CloseSend(); err != nil {
				t.Fatal(err)
			}
			wantCode(t, cs.RecvMsg(new(text)), codes.Internal)
		})
	})
	t.Run("two requests", func(t *testing.T) {
		onBoth(t, func(t *testing.T, start start) {
			// The client believes that the method takes many requests.
			cs, err := start(t, inproc.Options{}, served(receive).register).NewStream(t.Context(), talk, watchMethod)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(cs.SendMsg(say("1")), cs.SendMsg(say("2")), cs.CloseSend()); err != nil {
				t.Fatal(err)
			}
			wantCode(t, cs.RecvMsg(new(text)), codes.Internal)
		})
	})
}

func TestClientStream_ErrorAfterResponse_ErrorWins(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			return errors.Join(s.Send(say("done")), errors.New("or not"))
		})
		_, err := open(t, t.Context(), start(t, inproc.Options{}, s.register), upload).CloseAndRecv()
		wantStatus(t, err, codes.Unknown, "or not")
	})
}

func TestStream_SendAfterCloseSend_IsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			<-s.Context().Done()
			return nil
		})
		stream := open(t, t.Context(), start(t, inproc.Options{}, s.register), talk)
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		wantCode(t, stream.Send(say("x")), codes.Internal) // and it ends the call
		_, err := stream.Recv()
		wantCode(t, err, codes.Internal)
	})
}

func TestStream_HandlerReturnsEarly_SendSaysEOFAndRecvSaysWhy(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		s := served(func(*grpc.GenericServerStream[text, text]) error { return status.Error(codes.Aborted, "no more") })
		stream := open(t, t.Context(), start(t, inproc.Options{}, s.register), talk)
		var err error
		for end := time.Now().Add(patience); err == nil && time.Now().Before(end); {
			err = stream.Send(say("x"))
		}
		if err != io.EOF {
			t.Errorf("Send = %v, want io.EOF", err)
		}
		_, err = stream.Recv()
		wantStatus(t, err, codes.Aborted, "no more")
	})
}

func TestStream_ClientCancels_BothSidesReturn(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	handlers := map[string]func(s *grpc.GenericServerStream[text, text]) error{
		"handler receives": func(s *grpc.GenericServerStream[text, text]) error {
			_, err := s.Recv()
			return err
		},
		"handler sends": func(s *grpc.GenericServerStream[text, text]) error {
			for {
				if err := s.Send(say(big)); err != nil {
					return err
				}
			}
		},
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, start start) {
				entered, left := make(chan struct{}), make(chan error, 1)
				s := served(func(s *grpc.GenericServerStream[text, text]) error {
					close(entered)
					err := handler(s)
					left <- err
					return err
				})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				stream := open(t, ctx, start(t, inproc.Options{}, s.register), talk)
				await(t, entered, "the handler")
				cancel()
				_, err := drain(stream)
				wantStatus(t, err, codes.Canceled, "context canceled")
				wantCode(t, await(t, left, "the handler to leave"), codes.Canceled)
			})
		})
	}
}

func TestStream_Deadline_EndsBothSides(t *testing.T) {
	onBothInBubble(t, func(t *testing.T, start start) {
		left := make(chan error, 1)
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			<-s.Context().Done()
			_, err := s.Recv()
			left <- err
			return err
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := drain(open(t, ctx, start(t, inproc.Options{}, s.register), talk))
		wantCode(t, err, codes.DeadlineExceeded)
		if err := await(t, left, "the handler to leave"); status.Code(err) != codes.DeadlineExceeded && status.Code(err) != codes.Canceled {
			t.Errorf("the handler's Recv = %v", err)
		}
	})
}

func TestStream_HandlerReturns_ItsContextIsOver(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		handler := make(chan context.Context, 1)
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			handler <- s.Context()
			return nil
		})
		if _, err := drain(open(t, t.Context(), start(t, inproc.Options{}, s.register), talk)); err != io.EOF {
			t.Fatal(err)
		}
		ctx := await(t, handler, "the handler")
		await(t, ctx.Done(), "the end of its context")
	})
}
