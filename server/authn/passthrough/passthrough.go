// Package passthrough identifies callers by their bearer tokens, with which Diga is
// called. Only Diga verifies the tokens.
package passthrough

import (
	"context"

	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/secret"
)

// Authenticator accepts every well-formed bearer token without verifying it. Diga decides
// whether the token is valid.
type Authenticator struct {
	identify func(token string) string
}

// New returns an authenticator. identify returns the identity for a token; see
// [authn.NewPrincipal].
func New(identify func(token string) string) *Authenticator {
	return &Authenticator{identify}
}

// Authenticate implements [authn.Authenticator]. It accepts what [authn.Bearer] accepts.
func (a *Authenticator) Authenticate(_ context.Context, r authn.Request) (*authn.Principal, error) {
	token, err := authn.Bearer(r.Authorization)
	if err != nil {
		return nil, err
	}
	return authn.NewPrincipal(secret.New(token), a.identify), nil
}

// Close implements [authn.Authenticator]. It has nothing to release.
func (a *Authenticator) Close() error { return nil }
