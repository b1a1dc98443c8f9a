// Package authn tells who is calling and which credential goes upstream. It
// decides before anything of a call is decoded: in gRPC's tap handle and in an
// HTTP middleware. How callers authenticate is up to the packages below it.
package authn

import (
	"context"
	"crypto/tls"

	"github.com/digate/digate/server/apierror"
)

// Request is what a call authenticates with.
type Request struct {
	// Authorization holds the values of the call's authorization header.
	Authorization []string
	// TLS is the state of the caller's connection, nil for plain text.
	TLS *tls.ConnectionState
	// Account holds the values of the call's metadata [AccountKey].
	Account []string
	// AboutDigate means that the call is about digate itself, so that it needs a caller
	// and no account.
	AboutDigate bool
}

// AccountKey is the metadata with which a caller names one of its accounts. In REST it
// is the header Digate-Account.
const (
	AccountKey    = "digate-account"
	accountHeader = "Digate-Account"
)

// Authenticator turns what a call authenticates with into the call's principal.
type Authenticator interface {
	// Authenticate returns the principal, or an [apierror.Error] that quotes
	// nothing of the request. Beside the error of a caller who is known and may not use
	// the account, Authenticate returns a principal for logs alone. Authenticate must not wait: [TapHandle] calls it on
	// the connection's I/O goroutine, which serves every call of the connection.
	Authenticate(ctx context.Context, r Request) (*Principal, error)
	// Close releases what the authenticator holds. No call is authenticated after
	// that.
	Close() error
}

type key struct{}

// NewContext returns a context that carries the principal.
func NewContext(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, key{}, p)
}

// FromContext returns the context's principal, nil where there is none.
func FromContext(ctx context.Context) *Principal {
	p, _ := ctx.Value(key{}).(*Principal)
	return p
}

// ID returns the identity of the context's principal. It fails where there is no
// principal, or one without an identity: callers without one would share
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

// ErrNoCaller returns the error of a call without a caller, which nothing lets pass.
func ErrNoCaller() error {
	return apierror.MissingCredential("the call has no authenticated caller")
}
