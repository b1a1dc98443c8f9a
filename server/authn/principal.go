package authn

import (
	"sync"
	"time"

	"github.com/digate/digate/server/secret"
)

// Principal is an authenticated caller. Many goroutines may use it.
type Principal struct {
	// Credential is the caller's own bearer token, where that is what the upstream is
	// called with. It is empty for a caller with a name.
	Credential secret.String

	named    *Named
	claim    *Claim
	identify func(name string) string
	once     sync.Once
	id       string
}

// Named is a caller with a name, who uses an account of digate's.
type Named struct {
	// Account is the name of the account, empty for a call that needs none, and Caller
	// that of the caller.
	Account, Caller string
	// ByCertificate means that the caller authenticated with a client certificate, and
	// not with a token.
	ByCertificate bool
	// Expires is when what the caller authenticated with ends.
	Expires time.Time
	// Token returns the account's bearer token at this moment. It is nil where there is
	// no account.
	Token func() secret.String
	// Belonging tells whether the credential still belongs to the caller, nil where that
	// cannot change during a call.
	Belonging Belonging
}

// Belonging is the tie between a credential and a caller, which may end before the
// credential does.
type Belonging interface {
	// Check returns an [apierror.Error] once the credential is no longer the caller's.
	Check() error
}

// Claim is the claim of a verified token that names its caller.
type Claim struct {
	// whole is the issuer, the claim's name and its value.
	whole   string
	expires time.Time
}

// NewClaim returns the claim of an issuer's token that ends at that time. Neither the issuer
// nor the claim's name has a NUL.
func NewClaim(issuer, name, value string, expires time.Time) *Claim {
	return &Claim{"digate claim\x00" + issuer + "\x00" + name + "\x00" + value, expires}
}

// NewPrincipal returns the principal with this credential. Identify names the
// holder of the credential's token: always the same name for the same token, and
// one that does not reveal the token, because names are logged and stored.
func NewPrincipal(credential secret.String, identify func(token string) string) *Principal {
	return &Principal{Credential: credential, identify: identify}
}

// NewNamed returns the principal of a caller with a name. Its identity is what identify
// returns for the account and the caller, whatever the tokens of both are.
func NewNamed(n *Named, identify func(name string) string) *Principal {
	return &Principal{named: n, identify: identify}
}

// NewClaimed returns the principal of a caller that a claim of its own token names; the
// upstream is called with the token. Its identity is what identify returns for the claim,
// whatever the token is.
func NewClaimed(c *Claim, credential secret.String, identify func(name string) string) *Principal {
	return &Principal{Credential: credential, claim: c, identify: identify}
}

// Named returns the caller's names, nil for one that has none.
func (p *Principal) Named() *Named { return p.named }

// Claimed reports whether a claim of a verified token says who the caller is.
func (p *Principal) Claimed() bool { return p.claim != nil }

// Token returns the bearer token that the upstream is called with on the caller's
// behalf.
func (p *Principal) Token() secret.String {
	switch {
	case p.named == nil:
		return p.Credential
	case p.named.Token == nil:
		return secret.String{}
	default:
		return p.named.Token()
	}
}

// Account returns what tells the upstream's accounts apart in this process: the name of
// the account, or, where there is none, what the caller is known by. It must not be
// shown.
func (p *Principal) Account() string {
	if p.named != nil {
		return p.named.Account
	}
	return p.identified()
}

// Key returns what tells callers apart in this process. It must not be shown. A caller
// has one key in all of its accounts, so that it has its share of a resource once. No
// token is a key of a named caller, or of one that a claim names: tokens have no NUL.
func (p *Principal) Key() string {
	if p.named != nil {
		return "digate\x00" + p.named.Caller
	}
	return p.identified()
}

// identified returns the text that the identity is made of: the token, or the names of the
// account and the caller, or the issuer and the claim. Two callers have two texts.
func (p *Principal) identified() string {
	switch {
	case p.named != nil:
		return "digate\x00" + p.named.Account + "\x00" + p.named.Caller
	case p.claim != nil:
		return p.claim.whole
	default:
		return p.Credential.Reveal()
	}
}

// ends returns when what the caller authenticated with ends, and its tie to the caller,
// nil for one that cannot change. It reports false for a credential that the upstream
// alone judges.
func (p *Principal) ends() (time.Time, Belonging, bool) {
	switch {
	case p.named != nil:
		return p.named.Expires, p.named.Belonging, true
	case p.claim != nil:
		return p.claim.expires, nil, true
	default:
		return time.Time{}, nil, false
	}
}

// ID returns the caller's identity, under which the caller's records are kept.
// It is computed when it is first asked for, because most calls need none. It
// is empty for the zero principal.
func (p *Principal) ID() string {
	p.once.Do(func() {
		if p.identify != nil {
			p.id = p.identify(p.identified())
		}
	})
	return p.id
}
