// Package service authenticates the callers in the file of accounts by their client
// certificates and tokens. A caller's credential is used only to identify the caller:
// Diga is called with the token of an account.
package service

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/authn/clientcert"
	"github.com/digate/digate/server/authn/jwt"
)

// Authenticator authenticates the callers in a file of accounts.
type Authenticator struct {
	identify func(name string) string

	state    atomic.Pointer[state]
	updating sync.Mutex
	verified jwt.Cache[verified]
}

// state is a version of the file, with the verifier of its callers' tokens.
type state struct {
	set    *accounts.Set
	tokens *jwt.Verifier
}

// verified is a verified token and the callers that it belongs to.
type verified struct {
	token *jwt.Token
	by    *state
	of    []*accounts.Caller
}

// New returns an authenticator. identify returns the identity for the names of an account
// and a caller; see [authn.NewNamed]. told is called when the keys of an issuer can or
// cannot be read; see [jwt.New].
func New(ctx context.Context, set *accounts.Set, identify func(name string) string, told func(issuer string, err error)) (*Authenticator, error) {
	a := &Authenticator{identify: identify}
	tokens, err := jwt.New(ctx, set.Issuers(), told)
	if err != nil {
		return nil, err
	}
	a.state.Store(&state{set, tokens})
	return a, nil
}

// Update replaces the file of accounts by another version. It may wait a few seconds for
// the keys of new issuers. Meanwhile the previous version stays in use. If keys cannot be
// read now, their previous version stays in use.
func (a *Authenticator) Update(ctx context.Context, set *accounts.Set) error {
	a.updating.Lock()
	defer a.updating.Unlock()
	before := a.state.Load()
	if set.SameIssuers(before.set) {
		a.state.Store(&state{set, before.tokens})
		return nil
	}
	tokens, err := before.tokens.Next(ctx, set.Issuers())
	if err != nil {
		return err
	}
	a.state.Store(&state{set, tokens})
	before.tokens.Close()
	return nil
}

// Failing returns the names of the issuers whose keys cannot be read at present.
func (a *Authenticator) Failing() []string { return a.state.Load().tokens.Failing() }

// KeysRead returns when the keys of each issuer were last read, by the issuer's name.
func (a *Authenticator) KeysRead() map[string]time.Time { return a.state.Load().tokens.KeysRead() }

// Close implements [authn.Authenticator].
func (a *Authenticator) Close() error {
	a.updating.Lock()
	defer a.updating.Unlock()
	a.state.Load().tokens.Close()
	return nil
}

// Authenticate implements [authn.Authenticator]. If a request has a token and the file
// has issuers, the token identifies the caller. Otherwise the client certificate does.
func (a *Authenticator) Authenticate(_ context.Context, r authn.Request) (*authn.Principal, error) {
	st := a.state.Load()
	callers, proof, err := a.callers(st, r)
	if err != nil {
		return nil, err
	}
	switch len(callers) {
	case 0:
		return nil, apierror.InvalidCredential("the credential is valid, and belongs to no caller that is known here")
	case 1:
	default:
		return nil, apierror.InvalidCredential("the credential belongs to more than one caller that is known here")
	}
	caller := callers[0]
	b := &ownership{authenticator: a, at: st, request: r}
	n := &b.caller
	*n = authn.Named{Caller: caller.Name, ByCertificate: proof.certificate, Expires: proof.expires, Ownership: b}
	if !r.AboutDigate {
		account, err := chooseAccount(st.set, caller, r.Account)
		if err != nil {
			n.Account = knownAccountName(st.set, r.Account)
			return authn.NewNamed(n, a.identify), err
		}
		n.Account, n.Token = account.Name, account.Token.Reveal
	}
	return authn.NewNamed(n, a.identify), nil
}

// ownership implements [authn.Ownership] for the credential of a call: a later version of
// the file may assign the credential to another caller. It is allocated together with the
// caller's names.
type ownership struct {
	caller        authn.Named
	authenticator *Authenticator
	at            *state
	request       authn.Request
}

// Check implements [authn.Ownership].
func (b *ownership) Check() error {
	now := b.authenticator.state.Load()
	if now == b.at {
		return nil
	}
	callers, _, err := b.authenticator.callers(now, b.request)
	switch e := apierror.FromError(err); {
	case err != nil && e.Code == codes.Unavailable:
		return err
	case err != nil || len(callers) != 1 || callers[0].Name != b.caller.Caller:
		return apierror.CredentialExpired()
	default:
		return nil
	}
}

// proof is the credential that a caller authenticated with.
type proof struct {
	certificate bool // a certificate instead of a token
	expires     time.Time
}

// callers returns the callers that the credential of a request belongs to, and the
// credential.
func (a *Authenticator) callers(st *state, r authn.Request) ([]*accounts.Caller, proof, error) {
	byToken := len(st.set.Issuers()) > 0
	if byToken && len(r.Authorization) > 0 {
		text, err := authn.Bearer(r.Authorization)
		if err != nil {
			return nil, proof{}, err
		}
		v, err := a.verify(st, text)
		if err != nil {
			return nil, proof{}, err
		}
		return v.of, proof{expires: v.token.Expires}, nil
	}
	names, err := clientcert.Of(r.TLS)
	switch {
	case err != nil:
		return nil, proof{}, apierror.InvalidCredential(err.Error())
	case names != nil:
		return st.set.ByNames(names.DNS, names.URIs), proof{certificate: true, expires: names.Expires}, nil
	}
	return nil, proof{}, apierror.MissingCredential(credentialHint(r.TLS, byToken))
}

// ask returns the message about the credential that a request lacks.
func credentialHint(state *tls.ConnectionState, byToken bool) string {
	switch {
	case byToken && state != nil:
		return "a token is missing (authorization: Bearer TOKEN), or a client certificate"
	case byToken:
		return "the authorization header is missing; it must be: Bearer TOKEN"
	default:
		return "a client certificate is missing"
	}
}

// verify verifies a token, or finds the result of its earlier verification.
func (a *Authenticator) verify(st *state, text string) (verified, error) {
	if v, ok := a.verified.Get(text); ok && v.by == st && v.token.Holds() {
		return v, nil
	}
	token, err := st.tokens.Verify(text)
	if err != nil {
		return verified{}, jwt.Refusal(err)
	}
	v := verified{token, st, st.set.ByClaims(token.Issuer, token.Has)}
	a.verified.Put(text, v)
	return v, nil
}

// choose returns the account that a request names or, if it names none, the caller's only
// account.
func chooseAccount(set *accounts.Set, caller *accounts.Caller, named []string) (*accounts.Account, error) {
	may := caller.Accounts()
	switch {
	case len(named) > 1:
		return nil, apierror.AccountRequired(may).WithMessage(fmt.Sprintf("the metadata %s is there %d times", authn.AccountKey, len(named)))
	case len(named) == 1 && slices.Contains(may, named[0]):
		return set.Account(named[0]), nil
	case len(named) == 1:
		return nil, apierror.OtherAccount(may)
	case len(may) == 1:
		return set.Account(may[0]), nil
	default:
		return nil, apierror.AccountRequired(may)
	}
}

// knownAccountName returns the name of the account that a request names. It returns an empty
// string if there is no such account.
func knownAccountName(set *accounts.Set, named []string) string {
	if len(named) == 1 && set.Account(named[0]) != nil {
		return named[0]
	}
	return ""
}

var _ authn.Authenticator = (*Authenticator)(nil)
