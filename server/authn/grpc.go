package authn

import (
	"context"
	"crypto/tls"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/digate/digate/server/contract"
)

// TapHandle authenticates a gRPC call when its header has arrived and nothing
// of its message was read.
func TapHandle(a Authenticator) tap.ServerInHandle {
	return func(ctx context.Context, info *tap.Info) (context.Context, error) {
		if contract.Open(info.FullMethodName) {
			return ctx, nil
		}
		p, err := a.Authenticate(ctx, Request{Authorization: info.Header.Get("authorization"), TLS: connectionState(ctx)})
		if err != nil {
			return nil, err
		}
		return NewContext(ctx, p), nil
	}
}

// connectionState returns the TLS state of a gRPC call's connection, nil for
// plain text.
func connectionState(ctx context.Context) *tls.ConnectionState {
	p, found := peer.FromContext(ctx)
	if !found {
		return nil
	}
	switch info := p.AuthInfo.(type) { // a variable outside the case would be allocated for plain text too
	case credentials.TLSInfo:
		return &info.State
	default:
		return nil
	}
}

// UnaryInterceptor refuses a call without a principal. It guards the service
// against a way in where somebody forgot to authenticate.
func UnaryInterceptor(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := assert(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

// StreamInterceptor is [UnaryInterceptor] for streams.
func StreamInterceptor(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := assert(ss.Context(), info.FullMethod); err != nil {
		return err
	}
	return handler(srv, ss)
}

func assert(ctx context.Context, fullMethod string) error {
	if contract.Open(fullMethod) {
		return nil
	}
	_, err := Credential(ctx)
	return err
}
