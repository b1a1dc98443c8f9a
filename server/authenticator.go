package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/digate/digate/server/access"
	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/authn/claim"
	"github.com/digate/digate/server/authn/passthrough"
	"github.com/digate/digate/server/authn/service"
	"github.com/digate/digate/server/lifecycle"
	"github.com/digate/digate/server/setting"
)

// openAuthenticator makes the authenticator, unless it is given, and puts it on the
// stack. With a file of accounts, a caller is known by its name. Without one, it is known
// by a claim of its token if there is a setting for that, and else by the digest of the
// token under the ledger's key.
func (s *Server) openAuthenticator(ctx context.Context, given authn.Authenticator) error {
	if given != nil {
		s.authenticator = given
		s.pushAuthenticator()
		return nil
	}
	if s.cfg.AccountsFile != "" {
		if err := s.openAccounts(ctx); err != nil {
			return setting.Mistaken(fmt.Errorf("--accounts-file: %w", err))
		}
		return nil
	}
	if !s.cfg.CallerID.On() {
		if s.engine.Durable {
			s.log.Warn("a new token is a new caller here, for which no request id of the token before counts: what is repeated under a new token is sent again; --caller-id-claim and --accounts-file know a caller by what its tokens have in common")
		}
		s.authenticator = passthrough.New(s.keys.Caller)
		s.pushAuthenticator()
		return nil
	}
	a, err := claim.New(ctx, s.cfg.CallerID, s.keys.Caller, s.telemetry.IssuerKeys)
	if err != nil {
		return setting.Mistaken(fmt.Errorf("--caller-id-claim: %w", err))
	}
	s.authenticator = a
	s.useIssuers(a)
	s.pushAuthenticator()
	return nil
}

func (s *Server) pushAuthenticator() {
	s.lifecycle.Push(&lifecycle.Part{Name: "authenticator", Close: func() error { return s.authenticator.Close() }})
}

// openAccounts makes the authenticator of a file of accounts, which is read anew when
// it changes.
func (s *Server) openAccounts(ctx context.Context) error {
	observer := &accountsObserver{server: s}
	store, err := accounts.Open(s.cfg.AccountsFile, s.checkAccounts, observer)
	if err != nil {
		return err
	}
	a, err := service.New(ctx, store.Set(), s.keys.Caller, s.telemetry.IssuerKeys)
	if err != nil {
		return err
	}
	observer.authenticator = a
	s.authenticator = &namedCallers{a, s}
	s.access = &access.Access{Store: store, Meter: accounts.NewMeter(), Contract: s.contract}
	s.telemetry.WatchAccounts(store)
	s.useIssuers(a)
	s.telemetry.WatchQuotas(func() []accounts.QuotaLoad { return s.access.Meter.Load(store.Set()) })
	s.pushAuthenticator() // which the reading of the file needs
	s.lifecycle.Push(&lifecycle.Part{Name: "accounts", Serve: func(ctx context.Context) error { store.Run(ctx); return nil }})
	return nil
}

// checkAccounts returns an error for a file with which nobody could authenticate.
func (s *Server) checkAccounts(set *accounts.Set) error {
	if len(set.Issuers()) == 0 && !s.verifiesCertificates() {
		return errors.New("nobody could authenticate: the file has no issuers of tokens, and without --tls-client-ca-file no client certificate is verified")
	}
	return nil
}

// verifiesCertificates reports whether callers can authenticate by certificates.
func (s *Server) verifiesCertificates() bool { return s.cfg.TLS.ClientCAFile != "" }

// accountsObserver tells the authenticator and the telemetry of a file of accounts.
type accountsObserver struct {
	server        *Server
	authenticator *service.Authenticator // nil until there is one
}

func (o *accountsObserver) AccountsLoaded(set *accounts.Set, st accounts.Status) {
	if o.authenticator != nil {
		// The error is of a URL that the file was checked for.
		_ = o.authenticator.Update(context.Background(), set)
	}
	if set.HasCertificates() && !o.server.verifiesCertificates() {
		o.server.log.Warn("the file of accounts has callers with certificates, and without --tls-client-ca-file none is verified")
	}
	o.server.telemetry.AccountsLoaded(st)
}

func (o *accountsObserver) AccountsRefused(err error) { o.server.telemetry.AccountsRefused(err) }
func (o *accountsObserver) TokenRead(account string)  { o.server.telemetry.AccountTokenRead(account) }
func (o *accountsObserver) TokenRefused(account string, err error) {
	o.server.telemetry.AccountTokenRefused(account, err)
}

// namedCallers is an authenticator whose callers are no strangers.
type namedCallers struct {
	authn.Authenticator

	server *Server
}

func (a *namedCallers) Authenticate(ctx context.Context, r authn.Request) (*authn.Principal, error) {
	p, err := a.Authenticator.Authenticate(ctx, r)
	if err == nil {
		a.server.callers.Add(p.Key())
	}
	return p, err
}
