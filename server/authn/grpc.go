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

// TapHandle returns a tap handle that authenticates a gRPC call when its header has
// arrived and nothing of its message was read. If authentication fails, the handle
// returns the context as it was by then, which may be nil, with the error. open reports
// whether a method needs no credential, given its full name.
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

// connectionState returns the TLS state of a gRPC call's connection. It is nil for plain
// text.
func connectionState(ctx context.Context) *tls.ConnectionState {
	p, found := peer.FromContext(ctx)
	if !found {
		return nil
	}
	switch info := p.AuthInfo.(type) { // a variable outside of the case would be allocated for plain text too
	case credentials.TLSInfo:
		return &info.State
	default:
		return nil
	}
}

// Check refuses a call without a principal. The method is the full gRPC name. Check
// protects the service from entry points that do not authenticate.
func Check(ctx context.Context, method string) error {
	if contract.Open(method) {
		return nil
	}
	if FromContext(ctx) == nil {
		return ErrNoCaller()
	}
	return nil
}

// StreamInterceptor is [Check] for streams. It also ends a stream once the credential of
// its caller has expired or no longer belongs to the caller. The stream ends at the next
// message from its caller or, if the caller sends only one, at the next message to it.
// The caller still gets the responses to its earlier messages.
func StreamInterceptor(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := Check(ss.Context(), info.FullMethod); err != nil {
		return err
	}
	if p := FromContext(ss.Context()); p != nil {
		if ends, ownership, known := p.ends(); known {
			ss = &expiring{ServerStream: ss, ends: ends, ownership: ownership, receives: info.IsClientStream}
		}
	}
	return handler(srv, ss)
}

// expiring is a stream that fails at its next message once its caller's credential has
// expired or belongs to another caller.
type expiring struct {
	grpc.ServerStream

	ends      time.Time
	ownership Ownership // may be nil
	receives  bool      // the caller may send several messages
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
	if s.ownership == nil {
		return nil
	}
	return s.ownership.Check()
}
