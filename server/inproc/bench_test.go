package inproc_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/server/inproc"
)

// BenchmarkInvoke compares one unary call: the method alone, through the Channel,
// and through a grpc-go server over an in-memory connection. The dressed calls
// pass three interceptors and carry metadata both ways.
func BenchmarkInvoke(b *testing.B) {
	server := health.NewServer()
	register := func(r grpc.ServiceRegistrar) { healthpb.RegisterHealthServer(r, server) }
	pass := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		return next(ctx, req)
	}
	dressed := inproc.Options{Unary: []grpc.UnaryServerInterceptor{pass, pass, pass}}

	run := func(name string, ctx context.Context, cc grpc.ClientConnInterface, opts ...grpc.CallOption) {
		client := healthpb.NewHealthClient(cc)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Check(ctx, &healthpb.HealthCheckRequest{}, opts...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("method", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := server.Check(b.Context(), &healthpb.HealthCheckRequest{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	var header, trailer metadata.MD
	opts := []grpc.CallOption{grpc.Header(&header), grpc.Trailer(&trailer)}
	ctx := metadata.AppendToOutgoingContext(b.Context(),
		"authorization", "Bearer 0123456789abcdef0123456789abcdef", "x-request-id", "0123456789abcdef", "traceparent", "00-0af7651916cd43dd-b7ad6b7169203331-01")
	run("inproc", b.Context(), startInproc(b, inproc.Options{}, register))
	run("inproc dressed", ctx, startInproc(b, dressed, register), opts...)
	run("bufconn", b.Context(), startGRPC(b, inproc.Options{}, register))
	run("bufconn dressed", ctx, startGRPC(b, dressed, register), opts...)
}
