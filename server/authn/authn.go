// Package authn authenticates callers and chooses the credential for Diga. It runs before
// any part of a message is decoded: in gRPC's tap handle, and in an HTTP middleware. Each
// package below it is one way to authenticate.
package authn

import (
	"context"
	"crypto/tls"

	"github.com/digate/digate/server/apierror"
)

// Request is the part of a call that authentication uses.
type Request struct {
	// Authorization holds the values of the authorization header.
	Authorization []string
	// TLS is the state of the caller's connection. It is nil for plain text.
	TLS *tls.ConnectionState
	// Account holds the values of the metadata key [AccountKey].
	Account []string
	// AboutDigate means that the call is about digate itself. Such a call needs a caller
	// but no account.
	AboutDigate bool
}

// AccountKey is the metadata key with which a caller chooses one of its accounts. In REST
// it is the header Digate-Account.
const (
	AccountKey    = "digate-account"
	accountHeader = "Digate-Account"
)

// Authenticator authenticates calls.
type Authenticator interface {
	// Authenticate returns the principal of a call, or an [apierror.Error] that quotes
	// nothing of the request. If the caller is known but may not use the account,
	// Authenticate returns the error together with a principal that is only for logs.
	// Authenticate must not wait: [TapHandle] calls it on the connection's I/O goroutine,
	// which serves all calls of the connection.
	Authenticate(ctx context.Context, r Request) (*Principal, error)
	// Close releases the authenticator's resources. Authenticate is not called after
	// Close.
	Close() error
}

type key struct{}

// NewContext returns a context with the principal.
func NewContext(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, key{}, p)
}

// FromContext returns the principal in the context, or nil if there is none.
func FromContext(ctx context.Context) *Principal {
	p, _ := ctx.Value(key{}).(*Principal)
	return p
}

// ID returns the identity of the principal in the context. It fails if there is no
// principal or the principal has no identity: all callers without an identity would share
// their records.
func ID(ctx context.Context) (string, error) {
	p := FromContext(ctx)
	if p == nil {
		return "", ErrNoCaller()
	}
	id := p.ID()
	if id == "" {
		return "", ErrNoCaller()
	}
	return id, nil
}

// ErrNoCaller returns the error of a call without a principal.
func ErrNoCaller() error {
	return apierror.MissingCredential("the call has no authenticated caller")
}
