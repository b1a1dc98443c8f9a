package authn

import (
	"context"
	"crypto/tls"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract"
)

// TapHandle authenticates a gRPC call when its header has arrived and nothing
// of its message was read. Beside its error it returns the context as far as it came, or
// nil. Open reports whether a method, by its full name, needs no
// credential.
func TapHandle(a Authenticator, open func(method string) bool) tap.ServerInHandle {
	return func(ctx context.Context, info *tap.Info) (context.Context, error) {
		if open(info.FullMethodName) {
			return ctx, nil
		}
		p, err := a.Authenticate(ctx, Request{
			Authorization: info.Header["authorization"], TLS: connectionState(ctx),
			Account: info.Header[AccountKey], AboutDigate: contract.Open(info.FullMethodName),
		})
		if p == nil {
			return nil, err
		}
		return NewContext(ctx, p), err
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

// Check refuses a call without a principal, by its full gRPC name. It guards the service
// against a way in where somebody forgot to authenticate.
func Check(ctx context.Context, method string) error {
	if contract.Open(method) {
		return nil
	}
	if FromContext(ctx) == nil {
		return ErrNoCaller()
	}
	return nil
}

// StreamInterceptor is [Check] for streams. A stream ends at its next message once what
// its caller authenticated with has ended, or belongs to the caller no longer: the next
// message from its caller, or,
// where the caller sends but one, the next one to it. What a caller sent before that
// has its responses.
func StreamInterceptor(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := Check(ss.Context(), info.FullMethod); err != nil {
		return err
	}
	if p := FromContext(ss.Context()); p != nil {
		if ends, belonging, known := p.ends(); known {
			ss = &expiring{ServerStream: ss, ends: ends, belonging: belonging, receives: info.IsClientStream}
		}
	}
	return handler(srv, ss)
}

// expiring is a stream that ends at its next message once its caller's credential has
// ended or belongs to another.
type expiring struct {
	grpc.ServerStream

	ends      time.Time
	belonging Belonging // may be nil
	receives  bool      // the caller sends more than one message
}

// RecvMsg implements [grpc.ServerStream].
func (s *expiring) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return s.check(s.receives)
}

// SendMsg implements [grpc.ServerStream].
func (s *expiring) SendMsg(m any) error {
	if err := s.check(!s.receives); err != nil {
		return err
	}
	return s.ServerStream.SendMsg(m)
}

func (s *expiring) check(applies bool) error {
	if !applies {
		return nil
	}
	if !s.ends.IsZero() && time.Now().After(s.ends) {
		return apierror.CredentialExpired()
	}
	if s.belonging == nil {
		return nil
	}
	return s.belonging.Check()
}
