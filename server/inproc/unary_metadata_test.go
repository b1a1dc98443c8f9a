package inproc_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/inproc"
)

func TestInvoke_OutgoingMetadata_BecomesIncoming(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		var in metadata.MD
		var out int
		s := &service{unary: func(ctx context.Context, _ *text) (any, error) {
			in, _ = metadata.FromIncomingContext(ctx)
			md, _ := metadata.FromOutgoingContext(ctx)
			out = md.Len()
			return new(text), nil
		}}
		cc := start(t, inproc.Options{}, s.register)

		sent := metadata.Pairs("authorization", "Bearer x", "k", "1", "k", "2", "raw-bin", "\x00\xff",
			"content-type", "text/html", "te", "gzip", "grpc-timeout", "1n", "grpc-status", "7", ":path", "/elsewhere")
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("received-by", "the caller"))
		ctx = metadata.AppendToOutgoingContext(metadata.NewOutgoingContext(ctx, sent), "K", "3")
		if _, err := call(ctx, cc, "x"); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string][]string{
			"authorization": {"Bearer x"}, "k": {"1", "2", "3"}, "raw-bin": {"\x00\xff"},
			"te": nil, "grpc-timeout": nil, "grpc-status": nil, ":path": nil, "received-by": nil,
		} {
			if got := in[key]; !slices.Equal(got, want) {
				t.Errorf("incoming %q = %q, want %q", key, got, want)
			}
		}
		if slices.Contains(in["content-type"], "text/html") {
			t.Error("the caller has set the content type")
		}
		if out != 0 {
			t.Errorf("%d keys of outgoing metadata are left for the handler's own calls", out)
		}

		in.Set("k", "changed")
		if got := sent["k"]; !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("the handler has changed the caller's metadata: %q", got)
		}
	})
}

func TestInvoke_NoMetadata_HandlerStillFindsSome(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		var ok bool
		s := &service{unary: func(ctx context.Context, _ *text) (any, error) {
			_, ok = metadata.FromIncomingContext(ctx)
			return nil, nil
		}}
		if _, err := call(t.Context(), start(t, inproc.Options{}, s.register), "x"); err != nil || !ok {
			t.Errorf("incoming metadata present: %t, %v", ok, err)
		}
	})
}

func TestCall_InvalidMetadata_IsRefused(t *testing.T) {
	cases := map[string]metadata.MD{
		"space in key":   metadata.Pairs("a b", "x"),
		"empty key":      metadata.Pairs("", "x"),
		"non-ASCII key":  metadata.Pairs("clé", "x"),
		"line break":     metadata.Pairs("k", "x\r\nevil: y"),
		"non-ASCII text": metadata.Pairs("k", "é"),
	}
	for name, md := range cases {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, start start) {
				cc := start(t, inproc.Options{}, new(service).register)
				ctx := metadata.NewOutgoingContext(t.Context(), md)
				_, err := call(ctx, cc, "x")
				wantCode(t, err, codes.Internal)
				err = streamError(ctx, cc, talkMethod)
				wantCode(t, err, codes.Internal)
				if strings.Contains(err.Error(), "evil") {
					t.Errorf("the error shows the value: %v", err)
				}
			})
		})
	}
}

func TestInvoke_HeaderAndTrailer_ReachCallerOnSuccessAndError(t *testing.T) {
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
				var header, again, trailer metadata.MD
				_, err := call(t.Context(), start(t, inproc.Options{}, s.register), "x",
					grpc.Header(&header), grpc.Header(&again), grpc.Trailer(&trailer))
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
				if got := trailer["t"]; !slices.Equal(got, []string{"1", "2"}) || trailer["grpc-status"] != nil {
					t.Errorf("trailer = %q", map[string][]string(trailer))
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

func TestInvoke_Peer_IsKnownOnBothSides(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		var client *peer.Peer
		s := &service{unary: func(ctx context.Context, _ *text) (any, error) {
			client, _ = peer.FromContext(ctx)
			return nil, nil
		}}
		var server peer.Peer
		if _, err := call(t.Context(), start(t, inproc.Options{}, s.register), "x", grpc.Peer(&server)); err != nil {
			t.Fatal(err)
		}
		if client == nil || client.Addr.String() == "" || server.Addr == nil || server.Addr.String() == "" {
			t.Errorf("client = %v, server = %v", client, server)
		}
	})
}
