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

// Named returns the caller's names, nil for one that has none.
func (p *Principal) Named() *Named { return p.named }

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
// the account, or the token where there is none. It must not be shown.
func (p *Principal) Account() string {
	if p.named != nil {
		return p.named.Account
	}
	return p.Credential.Reveal()
}

// Key returns what tells callers apart in this process. It must not be shown. A caller
// has one key in all of its accounts, so that it has its share of a resource once. No
// token is a key of a named caller: tokens have no NUL.
func (p *Principal) Key() string {
	if p.named != nil {
		return "digate\x00" + p.named.Caller
	}
	return p.Credential.Reveal()
}

// identified returns what the identity is made of: the token, or the names of the
// account and the caller as one text, which no token is and no other caller's is.
func (p *Principal) identified() string {
	if n := p.named; n != nil {
		return "digate\x00" + n.Account + "\x00" + n.Caller
	}
	return p.Credential.Reveal()
}

// ID returns the caller's identity, under which the caller's records are kept.
// It is computed when it is first asked for, because most calls need none. It
// is empty for a principal that neither [NewPrincipal] nor [NewNamed] made.
func (p *Principal) ID() string {
	p.once.Do(func() {
		if p.identify != nil {
			p.id = p.identify(p.identified())
		}
	})
	return p.id
}
