// Package authn says who is calling and which credential goes upstream. It
// decides before anything of a call is decoded: in gRPC's tap handle and in an
// HTTP middleware.
package authn

import (
	"context"
	"strings"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/secret"
)

// maxToken bounds a bearer token, in bytes.
const maxToken = 8 << 10

// Principal is an authenticated caller.
type Principal struct {
	// Upstream is the bearer token that the vendor is called with on the
	// caller's behalf.
	Upstream secret.String
}

// Authenticator turns the values of a call's authorization header into its
// principal. A failure is an [apierror.Error] that quotes nothing.
type Authenticator interface {
	Authenticate(authorization []string) (*Principal, error)
}

// Passthrough takes the caller's bearer token for the vendor's, unverified: the
// vendor is the judge of it.
type Passthrough struct{}

// Authenticate implements [Authenticator]. It takes exactly one value, `Bearer`
// (in any case, RFC 9110 11.1), one space or more, and a token of visible ASCII
// characters.
func (Passthrough) Authenticate(authorization []string) (*Principal, error) {
	switch len(authorization) {
	case 0:
		return nil, apierror.MissingCredential("the authorization header is missing; it must be: Bearer TOKEN")
	case 1:
	default:
		return nil, apierror.MissingCredential("there is more than one authorization header")
	}
	scheme, token, found := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, apierror.MissingCredential("the authorization header is not of the form: Bearer TOKEN")
	}
	token = strings.Trim(token, " ")
	if !found || token == "" {
		return nil, apierror.MissingCredential("the bearer token is empty")
	}
	if len(token) > maxToken {
		return nil, apierror.MissingCredential("the bearer token is too long")
	}
	for i := range len(token) {
		if c := token[i]; c <= ' ' || c > '~' {
			return nil, apierror.MissingCredential("the bearer token has characters that no token may have")
		}
	}
	return &Principal{Upstream: secret.New(token)}, nil
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

// Credential returns the token to call the vendor with on behalf of the
// context's principal.
func Credential(ctx context.Context) (secret.String, error) {
	p := FromContext(ctx)
	if p == nil {
		return secret.String{}, apierror.MissingCredential("the call has no authenticated caller")
	}
	return p.Upstream, nil
}
