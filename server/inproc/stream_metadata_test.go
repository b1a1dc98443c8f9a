package inproc_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/inproc"
)

func TestStream_Header_BlocksUntilSent(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		release := make(chan struct{})
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			if err := grpc.SendHeader(s.Context(), metadata.Pairs("h", "1")); err != nil {
				return err
			}
			<-release
			if err := s.SetHeader(metadata.Pairs("h", "2")); err == nil {
				t.Error("SetHeader succeeds after SendHeader")
			}
			return nil
		})
		stream := open(t, t.Context(), start(t, inproc.Options{}, s.register), talk)
		header, err := stream.Header() // the handler is not done, and has sent no message
		close(release)
		if err != nil || !slices.Equal(header["h"], []string{"1"}) {
			t.Errorf("header = %q, %v", header["h"], err)
		}
		if _, err := drain(stream); err != io.EOF {
			t.Error(err)
		}
	})
}

func TestStream_FirstMessage_SendsHeader(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		late := make(chan error, 1)
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			if err := errors.Join(s.SetHeader(metadata.Pairs("h", "1")), s.Send(say("x"))); err != nil {
				return err
			}
			late <- s.SendHeader(nil)
			_, err := s.Recv()
			return err
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stream := open(t, ctx, start(t, inproc.Options{}, s.register), talk)
		header, err := stream.Header()
		if err != nil || !slices.Equal(header["h"], []string{"1"}) {
			t.Errorf("header = %q, %v", header["h"], err)
		}
		wantCode(t, await(t, late, "SendHeader"), codes.Internal)
	})
}

func TestStream_EndsWithoutHeader_HeaderIsNil(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		s := served(func(*grpc.GenericServerStream[text, text]) error { return status.Error(codes.Aborted, "no") })
		stream := open(t, t.Context(), start(t, inproc.Options{}, s.register), talk)
		if header, err := stream.Header(); header != nil || err != nil {
			t.Errorf("header = %v, %v, want neither", header, err)
		}
		_, err := stream.Recv()
		wantStatus(t, err, codes.Aborted, "no")
	})
}

func TestStream_HeaderSetOnly_GoesOutWithStatus(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			return errors.Join(s.SetHeader(metadata.Pairs("h", "1")), errors.New("no"))
		})
		stream := open(t, t.Context(), start(t, inproc.Options{}, s.register), talk)
		if header, err := stream.Header(); !slices.Equal(header["h"], []string{"1"}) || err != nil {
			t.Errorf("header = %v, %v", header, err)
		}
		if _, err := stream.Recv(); err == nil {
			t.Error("no error")
		}
	})
}

func TestStream_CancelBeforeHeader_HeaderReturns(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		defer close(release)
		s := served(func(*grpc.GenericServerStream[text, text]) error {
			cancel()
			<-release // it does not heed its context
			return nil
		})
		stream := open(t, ctx, start(t, inproc.Options{}, s.register), talk)
		if header, err := stream.Header(); header != nil || err != nil {
			t.Errorf("header = %v, %v, want neither", header, err)
		}
	})
}

func TestStream_InvalidMetadataFromHandler_IsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		errs := make(chan error, 2)
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			errs <- s.SetHeader(metadata.Pairs("a b", "x"))
			errs <- s.SendHeader(metadata.Pairs("k", "x\ny"))
			return nil
		})
		if _, err := drain(open(t, t.Context(), start(t, inproc.Options{}, s.register), talk)); err != io.EOF {
			t.Error(err)
		}
		wantCode(t, await(t, errs, "SetHeader"), codes.Internal)
		wantCode(t, await(t, errs, "SendHeader"), codes.Internal)
	})
}

func TestStream_Metadata_ReachesHandler(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		s := served(func(s *grpc.GenericServerStream[text, text]) error {
			method, _ := grpc.MethodFromServerStream(s)
			return s.Send(say(method + strings.Join(metadata.ValueFromIncomingContext(s.Context(), "k"), "")))
		})
		ctx := metadata.AppendToOutgoingContext(t.Context(), "k", "1", "k", "2")
		got, err := drain(open(t, ctx, start(t, inproc.Options{}, s.register), talk))
		if err != io.EOF || !slices.Equal(got, []string{talkMethod + "12"}) {
			t.Errorf("got %q, %v", got, err)
		}
	})
}
