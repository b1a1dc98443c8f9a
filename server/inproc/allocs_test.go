//go:build !race

package inproc_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/server/inproc"
)

// Every REST request is one call through the channel. The bounds are what a call
// takes today, its messages and the generated client's part included.
func TestAllocations_UnaryCall_AreBounded(t *testing.T) {
	s := &service{unary: func(_ context.Context, in *text) (any, error) { return in, nil }}
	pass := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		return next(ctx, req)
	}
	bare := startInproc(t, inproc.Options{}, s.register)
	dressed := startInproc(t, inproc.Options{Unary: []grpc.UnaryServerInterceptor{pass, pass, pass}}, s.register)
	withMetadata := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer 0123456789abcdef", "x-request-id", "0123456789abcdef")
	var header, trailer metadata.MD
	both := []grpc.CallOption{grpc.Header(&header), grpc.Trailer(&trailer)}
	in, out := say("x"), new(text)
	for name, tt := range map[string]struct {
		bound float64
		run   func() error
	}{
		"bare": {9, func() error { return bare.Invoke(t.Context(), unaryMethod, in, out) }},
		"interceptors, metadata, header and trailer": {18, func() error {
			return dressed.Invoke(withMetadata, unaryMethod, in, out, both...)
		}},
	} {
		if got := testing.AllocsPerRun(1000, func() {
			if err := tt.run(); err != nil {
				t.Error(err)
			}
		}); got > tt.bound {
			t.Errorf("%s: %v allocations, want %v at most", name, got, tt.bound)
		}
	}
}
