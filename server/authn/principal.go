package authn

import (
	"sync"
	"time"

	"github.com/digate/digate/server/secret"
)

// Principal is an authenticated caller. It is safe for concurrent use.
type Principal struct {
	// Credential is the caller's own bearer token, if Diga is called with that token. It
	// is empty for a named caller.
	Credential secret.String

	named    *Named
	claim    *Claim
	identify func(name string) string
	once     sync.Once
	id       string
}

// Named is a caller with a name, who uses an account of digate's configuration.
type Named struct {
	// Account is the name of the account, and Caller that of the caller. Account is empty
	// for a call that needs no account.
	Account, Caller string
	// ByCertificate means that the caller authenticated with a client certificate instead
	// of a token.
	ByCertificate bool
	// Expires is when the caller's certificate or token expires.
	Expires time.Time
	// Token returns the account's current bearer token. It is nil if there is no account.
	Token func() secret.String
	// Ownership tracks whether the credential still belongs to the caller. It is nil if
	// that cannot change during a call.
	Ownership Ownership
}

// Ownership tracks whether a credential still belongs to its caller. That may end before
// the credential expires.
type Ownership interface {
	// Check returns an [apierror.Error] if the credential no longer belongs to the
	// caller.
	Check() error
}

// Claim is the claim of a verified token that identifies its caller.
type Claim struct {
	// whole combines the issuer, the claim's name and its value.
	whole   string
	expires time.Time
}

// NewClaim returns a claim of a token that expires at the given time. The issuer and the
// claim's name must not contain NUL.
func NewClaim(issuer, name, value string, expires time.Time) *Claim {
	return &Claim{"digate claim\x00" + issuer + "\x00" + name + "\x00" + value, expires}
}

// NewPrincipal returns the principal of a caller that is identified by its credential.
// identify must return the same identity for the same token, and one that does not reveal
// the token, because identities are logged and stored.
func NewPrincipal(credential secret.String, identify func(token string) string) *Principal {
	return &Principal{Credential: credential, identify: identify}
}

// NewNamed returns the principal of a named caller. Its identity is the result of
// identify for the names of the account and the caller. It does not depend on their
// tokens.
func NewNamed(n *Named, identify func(name string) string) *Principal {
	return &Principal{named: n, identify: identify}
}

// NewClaimed returns the principal of a caller that is identified by a claim of its
// token. Diga is called with the token. The identity is the result of identify for the
// claim. It does not depend on the rest of the token.
func NewClaimed(c *Claim, credential secret.String, identify func(name string) string) *Principal {
	return &Principal{Credential: credential, claim: c, identify: identify}
}

// Named returns the names of the caller, or nil if it has none.
func (p *Principal) Named() *Named { return p.named }

// Claimed reports whether the caller is identified by a claim of a verified token.
func (p *Principal) Claimed() bool { return p.claim != nil }

// Token returns the bearer token for the requests to Diga on the caller's behalf.
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

// Account returns a key that identifies the account of Diga within this process: the name
// of the account, or the caller's key if there is no account. It may contain a token and
// must not be shown.
func (p *Principal) Account() string {
	if p.named != nil {
		return p.named.Account
	}
	return p.identified()
}

// Key returns a key that identifies the caller within this process. It may contain a
// token and must not be shown. A caller has the same key in all of its accounts, so that
// it has one share of each resource. The key of a named or claimed caller cannot equal a
// token, because it contains NUL.
func (p *Principal) Key() string {
	if p.named != nil {
		return "digate\x00" + p.named.Caller
	}
	return p.identified()
}

// identified returns the text that the identity is computed from: the token, or the names
// of the account and the caller, or the issuer and the claim. It differs between any two
// callers.
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

// ends returns when the caller's credential expires, and what tracks its owner, which may
// be nil. It reports false for a credential that only Diga verifies.
func (p *Principal) ends() (time.Time, Ownership, bool) {
	switch {
	case p.named != nil:
		return p.named.Expires, p.named.Ownership, true
	case p.claim != nil:
		return p.claim.expires, nil, true
	default:
		return time.Time{}, nil, false
	}
}

// ID returns the caller's identity, under which the caller's records are kept. It is
// computed at the first call, because most calls need none. It is empty for the zero
// Principal.
func (p *Principal) ID() string {
	p.once.Do(func() {
		if p.identify != nil {
			p.id = p.identify(p.identified())
		}
	})
	return p.id
}
