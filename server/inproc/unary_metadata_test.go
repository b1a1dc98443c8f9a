package inproc_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/inproc"
)

func TestInvoke_Header_ReachesCallerOnSuccessAndError(t *testing.T) {
	for name, result := range map[string]error{"success": nil, "error": status.Error(codes.Aborted, "no")} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, start start) {
				s := &service{unary: func(ctx context.Context, _ *text) (any, error) {
					return new(text), errors.Join(
						grpc.SetHeader(ctx, metadata.Pairs("h", "1", "content-type", "text/html")),
						grpc.SetHeader(ctx, metadata.Pairs("h", "2", "h-bin", "\x00\xff")),
						grpc.SetTrailer(ctx, metadata.Pairs("t", "1", "grpc-status", "0")),
						grpc.SetTrailer(ctx, metadata.Pairs("t", "2")), result)
				}}
				var header, again metadata.MD
				_, err := call(t.Context(), start(t, inproc.Options{}, s.register), "x", grpc.Header(&header), grpc.Header(&again))
				if got, want := status.Code(err), status.Code(result); got != want {
					t.Fatalf("code = %v, want %v (%v)", got, want, err)
				}
				for _, h := range []metadata.MD{header, again} {
					if got := h["h"]; !slices.Equal(got, []string{"1", "2"}) || !slices.Equal(h["h-bin"], []string{"\x00\xff"}) {
						t.Errorf("header = %q", map[string][]string(h))
					}
				}
				if slices.Contains(header["content-type"], "text/html") {
					t.Error("the handler has set the content type")
				}
			})
		})
	}
}

func TestInvoke_HeaderSent_CannotBeChanged(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		var errs []error
		s := &service{unary: func(ctx context.Context, _ *text) (any, error) {
			errs = []error{
				grpc.SendHeader(ctx, metadata.Pairs("h", "1")),
				grpc.SendHeader(ctx, metadata.Pairs("h", "2")),
				grpc.SetHeader(ctx, metadata.Pairs("h", "3")),
			}
			return new(text), nil
		}}
		var header metadata.MD
		if _, err := call(t.Context(), start(t, inproc.Options{}, s.register), "x", grpc.Header(&header)); err != nil {
			t.Fatal(err)
		}
		if errs[0] != nil {
			t.Errorf("first SendHeader: %v", errs[0])
		}
		wantCode(t, errs[1], codes.Internal)
		wantCode(t, errs[2], codes.Internal)
		if got := header["h"]; !slices.Equal(got, []string{"1"}) {
			t.Errorf("header = %q", got)
		}
	})
}
