// Package claim identifies callers by a claim of their bearer tokens. It verifies the
// tokens, and Diga is called with the same tokens.
package claim

import (
	"context"
	"time"

	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/authn/jwt"
	"github.com/digate/digate/server/secret"
)

// Authenticator verifies a caller's bearer token and identifies the caller by one of the
// token's claims, so that a new token with the same claim belongs to the same caller.
type Authenticator struct {
	issuer, claim string
	identify      func(name string) string
	tokens        *jwt.Verifier
	verified      jwt.Cache[verified]
}

// verified is a verified token and the caller that it identifies.
type verified struct {
	token *jwt.Token
	claim *authn.Claim
}

// New returns an authenticator for valid settings with [Settings.On]. identify returns
// the identity for a claim; see [authn.NewClaimed]. told is called when the issuer's keys
// can or cannot be read; see [jwt.New].
func New(ctx context.Context, s Settings, identify func(name string) string, told func(issuer string, err error)) (*Authenticator, error) {
	tokens, err := jwt.New(ctx, []*accounts.Issuer{s.issuer()}, told)
	if err != nil {
		return nil, err
	}
	return &Authenticator{issuer: s.Issuer, claim: s.Claim, identify: identify, tokens: tokens}, nil
}

// Authenticate implements [authn.Authenticator]. It refuses a token that cannot be
// verified or does not have the claim: anybody could have made it.
func (a *Authenticator) Authenticate(_ context.Context, r authn.Request) (*authn.Principal, error) {
	text, err := authn.Bearer(r.Authorization)
	if err != nil {
		return nil, err
	}
	v, ok := a.verified.Get(text)
	if !ok || !v.token.Holds() {
		if v, err = a.verify(text); err != nil {
			return nil, err
		}
		a.verified.Put(text, v)
	}
	return authn.NewClaimed(v.claim, secret.New(text), a.identify), nil
}

func (a *Authenticator) verify(text string) (verified, error) {
	token, err := a.tokens.Verify(text)
	if err != nil {
		return verified{}, jwt.Refusal(err)
	}
	value := token.Text(a.claim)
	if value == "" {
		return verified{}, apierror.InvalidCredential("the token has no text in the claim " + a.claim + ", which names its caller")
	}
	return verified{token, authn.NewClaim(a.issuer, a.claim, value, token.Expires)}, nil
}

// Failing returns the name of the issuer if its keys cannot be read at present.
func (a *Authenticator) Failing() []string { return a.tokens.Failing() }

// KeysRead returns when the keys of each issuer were last read, by the issuer's name.
func (a *Authenticator) KeysRead() map[string]time.Time { return a.tokens.KeysRead() }

// Close implements [authn.Authenticator].
func (a *Authenticator) Close() error {
	a.tokens.Close()
	return nil
}

var _ authn.Authenticator = (*Authenticator)(nil)
