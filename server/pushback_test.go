package server

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// trailerStream is a stream that keeps the trailer it is given.
type trailerStream struct {
	grpc.ServerStream
	trailer metadata.MD
}

func (s *trailerStream) Context() context.Context { return context.Background() }

func (s *trailerStream) SetTrailer(md metadata.MD) { s.trailer = metadata.Join(s.trailer, md) }

func TestFailStream_FailedStream_TellsClientsWhetherToRetry(t *testing.T) {
	wait, none, rounded := 1500*time.Millisecond, time.Duration(0), 1500*time.Microsecond
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"no failure", nil, ""},
		{"outcome unknown", &apierror.Error{Outcome: exchange.Unknown}, "-1"},
		{"not sent", &apierror.Error{Outcome: exchange.NotSent}, ""},
		{"not sent, with a wait", &apierror.Error{Outcome: exchange.NotSent, RetryAfter: &wait}, "1500"},
		{"not sent, with no wait", &apierror.Error{Outcome: exchange.NotSent, RetryAfter: &none}, "1"},
		{"not sent, with a part of a millisecond", &apierror.Error{Outcome: exchange.NotSent, RetryAfter: &rounded}, "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Server{}
			s.cfg.MaxErrorBytes = 4096
			stream := &trailerStream{}
			err := s.failStream(nil, stream, nil, func(any, grpc.ServerStream) error { return c.err })
			if (err != nil) != (c.err != nil) || c.err != nil && !errors.As(err, new(*apierror.Error)) {
				t.Errorf("error %v, want that of the handler, %v", err, c.err)
			}
			if got := strings.Join(stream.trailer.Get(pushbackKey), ","); got != c.want {
				t.Errorf("trailer %q, want %q", got, c.want)
			}
		})
	}
}

func TestFail_LongMessage_IsCut(t *testing.T) {
	s := &Server{}
	s.cfg.MaxErrorBytes = 2048
	long := &apierror.Error{Outcome: exchange.NotSent, Message: strings.Repeat("m", 10_000)}
	_, unary := s.failUnary(t.Context(), "", nil, long)
	stream := s.failStream(nil, &trailerStream{}, nil, func(any, grpc.ServerStream) error { return long })
	for name, err := range map[string]error{"unary": unary, "stream": stream} {
		if n := len(apierror.FromError(err).Message); n == 0 || n > 2048 {
			t.Errorf("%s: a message of %d bytes", name, n)
		}
	}
}
