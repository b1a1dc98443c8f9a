package authn

import (
	"sync"

	"github.com/digate/digate/server/secret"
)

// Principal is an authenticated caller. Many goroutines may use it.
type Principal struct {
	// Account is the account that the caller belongs to, empty where the
	// authenticator knows of none.
	Account string
	// Credential is the bearer token that the upstream is called with on the
	// caller's behalf.
	Credential secret.String

	identify func(token string) string
	once     sync.Once
	id       string
}

// NewPrincipal returns the principal with this credential. Identify names the
// holder of the credential's token: always the same name for the same token, and
// one that does not reveal the token, because names are logged and stored.
func NewPrincipal(credential secret.String, identify func(token string) string) *Principal {
	return &Principal{Credential: credential, identify: identify}
}

// ID returns the caller's identity, under which the caller's records are kept.
// It is computed when it is first asked for, because most calls need none. It
// is empty for a principal that [NewPrincipal] did not make.
func (p *Principal) ID() string {
	p.once.Do(func() {
		if p.identify != nil {
			p.id = p.identify(p.Credential.Reveal())
		}
	})
	return p.id
}
