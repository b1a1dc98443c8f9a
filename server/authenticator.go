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

// openAuthenticator creates the authenticator, unless one is given, and puts it on the
// stack. With a file of accounts, a caller is identified by its name in the file. Without
// one, a caller is identified by a claim of its token if --caller-id-claim is set, and
// otherwise by the token's digest under the ledger's key.
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
	s.watchIssuers(a)
	s.pushAuthenticator()
	return nil
}

func (s *Server) pushAuthenticator() {
	s.lifecycle.Push(&lifecycle.Part{Name: "authenticator", Close: func() error { return s.authenticator.Close() }})
}

// openAccounts creates the authenticator that uses the file of accounts. The file is read
// again when it changes.
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
	s.authenticator = &rememberingAuthenticator{a, s}
	s.access = &access.Access{Store: store, Meter: accounts.NewMeter(), Contract: s.contract}
	s.telemetry.WatchAccounts(store)
	s.watchIssuers(a)
	s.telemetry.WatchQuotas(func() []accounts.QuotaLoad { return s.access.Meter.Load(store.Set()) })
	s.pushAuthenticator() // reading the file needs the authenticator
	s.lifecycle.Push(&lifecycle.Part{Name: "accounts", Serve: func(ctx context.Context) error { store.Run(ctx); return nil }})
	return nil
}

// checkAccounts returns an error if nobody could authenticate with the file of accounts.
func (s *Server) checkAccounts(set *accounts.Set) error {
	if len(set.Issuers()) == 0 && !s.verifiesCertificates() {
		return errors.New("nobody could authenticate: the file has no issuers of tokens, and without --tls-client-ca-file no client certificate is verified")
	}
	return nil
}

// verifiesCertificates reports whether the server verifies client certificates.
func (s *Server) verifiesCertificates() bool { return s.cfg.TLS.ClientCAFile != "" }

// accountsObserver updates the authenticator and the telemetry when the file of accounts
// changes.
type accountsObserver struct {
	server        *Server
	authenticator *service.Authenticator // nil until the file was read once
}

func (o *accountsObserver) AccountsLoaded(set *accounts.Set, st accounts.Status) {
	if o.authenticator != nil {
		// Update fails only for an invalid URL of an issuer. The URLs were checked when
		// the file was read.
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

// rememberingAuthenticator is an authenticator whose callers all count as known.
type rememberingAuthenticator struct {
	authn.Authenticator

	server *Server
}

func (a *rememberingAuthenticator) Authenticate(ctx context.Context, r authn.Request) (*authn.Principal, error) {
	p, err := a.Authenticator.Authenticate(ctx, r)
	if err == nil {
		a.server.callers.Add(p.Key())
	}
	return p, err
}
