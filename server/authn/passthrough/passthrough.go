// Package passthrough authenticates callers by the bearer token that goes
// upstream.
package passthrough

import (
	"context"

	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/secret"
)

// Authenticator takes the caller's bearer token for the upstream's, unverified:
// the upstream decides whether the token is valid.
type Authenticator struct {
	identify func(token string) string
}

// New returns an authenticator whose principals have the identity that identify
// returns for their token; see [authn.NewPrincipal].
func New(identify func(token string) string) *Authenticator {
	return &Authenticator{identify}
}

// Authenticate implements [authn.Authenticator]. It takes what [authn.Bearer] does.
func (a *Authenticator) Authenticate(_ context.Context, r authn.Request) (*authn.Principal, error) {
	token, err := authn.Bearer(r.Authorization)
	if err != nil {
		return nil, err
	}
	return authn.NewPrincipal(secret.New(token), a.identify), nil
}

// Close implements [authn.Authenticator]. There is nothing to release.
func (a *Authenticator) Close() error { return nil }
