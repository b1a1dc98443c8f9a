// Package passthrough authenticates callers by the bearer token that goes
// upstream.
package passthrough

import (
	"context"
	"strings"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/secret"
)

// maxToken bounds a bearer token, in bytes.
const maxToken = 8 << 10

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

// Authenticate implements [authn.Authenticator]. It takes exactly one value,
// `Bearer` (in any case, RFC 9110 11.1), one space or more, and a token of
// visible ASCII characters.
func (a *Authenticator) Authenticate(_ context.Context, r authn.Request) (*authn.Principal, error) {
	token, err := bearer(r.Authorization)
	if err != nil {
		return nil, err
	}
	return authn.NewPrincipal(secret.New(token), a.identify), nil
}

// Close implements [authn.Authenticator]. There is nothing to release.
func (a *Authenticator) Close() error { return nil }

// bearer returns the token of an authorization header's values.
func bearer(authorization []string) (string, error) {
	switch len(authorization) {
	case 0:
		return "", apierror.MissingCredential("the authorization header is missing; it must be: Bearer TOKEN")
	case 1:
	default:
		return "", apierror.MissingCredential("there is more than one authorization header")
	}
	scheme, token, found := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", apierror.MissingCredential("the authorization header is not of the form: Bearer TOKEN")
	}
	token = strings.Trim(token, " ")
	if !found || token == "" {
		return "", apierror.MissingCredential("the bearer token is empty")
	}
	if len(token) > maxToken {
		return "", apierror.MissingCredential("the bearer token is too long")
	}
	for i := range len(token) {
		if c := token[i]; c <= ' ' || c > '~' {
			return "", apierror.MissingCredential("the bearer token has characters that no token may have")
		}
	}
	return token, nil
}
