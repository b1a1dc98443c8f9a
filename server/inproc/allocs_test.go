//go:build !race

package inproc_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"

	"github.com/digate/digate/server/inproc"
)

// Every REST request is one call through the channel. The bounds are what a call
// takes today, its messages included.
func TestAllocations_UnaryCall_AreBounded(t *testing.T) {
	s := &service{unary: func(_ context.Context, in *text) (any, error) { return in, nil }}
	pass := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		return next(ctx, req)
	}
	decode := func(request any) error { request.(*text).Value = "x"; return nil }
	for name, tt := range map[string]struct {
		bound        float64
		interceptors []grpc.UnaryServerInterceptor
	}{
		"bare":         {7, nil},
		"interceptors": {13, []grpc.UnaryServerInterceptor{pass, pass, pass}},
	} {
		c := inproc.New(inproc.Options{Unary: tt.interceptors})
		s.register(c)
		if got := testing.AllocsPerRun(1000, func() {
			if _, _, err := c.Call(t.Context(), unaryMethod, decode); err != nil {
				t.Error(err)
			}
		}); got > tt.bound {
			t.Errorf("%s: %v allocations, want %v at most", name, got, tt.bound)
		}
	}
}
