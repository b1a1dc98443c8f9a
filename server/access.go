package server

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/grpc"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/authn/claim"
	"github.com/digate/digate/server/authn/passthrough"
	"github.com/digate/digate/server/authn/service"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/setting"
	"github.com/digate/digate/server/telemetry"
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
	s.telemetry.WatchIssuers(a)
	s.pushAuthenticator()
	return nil
}

func (s *Server) pushAuthenticator() {
	s.lifecycle.push(&part{name: "authenticator", close: func() error { return s.authenticator.Close() }})
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
	s.access = &access{store: store, issuers: a, meter: accounts.NewMeter(), contract: s.contract}
	s.telemetry.WatchAccounts(store, a)
	s.telemetry.WatchQuotas(func() []accounts.QuotaLoad { return s.access.meter.Load(store.Set()) })
	s.pushAuthenticator() // which the reading of the file needs
	s.lifecycle.push(&part{name: "accounts", serve: func(ctx context.Context) error { store.Run(ctx); return nil }})
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

// access decides what the callers of a file of accounts may do.
type access struct {
	store    *accounts.Store
	issuers  telemetry.IssuersState
	meter    *accounts.Meter
	contract *contract.Contract
}

// accessQuestion is what a caller asks for.
type accessQuestion struct {
	caller  *accounts.Caller
	account *accounts.Account
	isCopy  bool
}

// decide returns an error unless the context's caller may make a call with a request,
// which is nil for a stream.
func (a *access) decide(ctx context.Context, method *contract.Method, req any) (q accessQuestion, err error) {
	p := authn.FromContext(ctx)
	if p == nil || p.Named() == nil {
		return q, authn.ErrNoCaller()
	}
	set, n := a.store.Set(), p.Named()
	q.caller, q.account = set.Caller(n.Caller), set.Account(n.Account)
	if q.caller == nil || q.account == nil { // the file is another since the caller came
		return q, apierror.OtherAccount(nil).WithMessage("the caller or the account is no longer in the file of accounts")
	}
	question := accounts.Question{Account: n.Account, Method: string(method.Descriptor.Name())}
	if named, ok := req.(interface{ GetTemplateId() string }); ok {
		question.Template = named.GetTemplateId()
	}
	if d := q.caller.Decide(question); !d.Allowed {
		return q, apierror.NotAllowed(d.Refusal)
	}
	q.isCopy = method.FullName == integrationv1.IntegrationService_CopyTemplate_FullMethodName
	return q, nil
}

// unary decides about unary calls.
func (a *access) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	method := a.contract.Method(info.FullMethod)
	if method == nil {
		return handler(ctx, req)
	}
	q, err := a.decide(ctx, method, req)
	if err == nil {
		err = quotaError(a.meter.Take(q.caller, q.account, q.isCopy))
	}
	if err != nil {
		return nil, about(method, err)
	}
	resp, err := handler(ctx, req)
	if q.isCopy {
		a.made(ctx, q, err)
	}
	return resp, err
}

// stream decides about streams. The copies of a bulk stream are decided about by
// themselves.
func (a *access) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if method := a.contract.Method(info.FullMethod); method != nil {
		q, err := a.decide(ss.Context(), method, nil)
		if err == nil {
			err = quotaError(a.meter.Take(q.caller, q.account, false))
		}
		if err != nil {
			return err
		}
	}
	return handler(srv, ss)
}

// item decides about a copy of a bulk stream, whose stream was decided about. A copy
// waits for the quotas of a second, as the stream has time; ended is called with its
// result.
func (a *access) item(ctx context.Context, req *integrationv1.CopyTemplateRequest) (ended func(context.Context, error), err error) {
	q, err := a.decide(ctx, a.contract.Method(integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName), req)
	if err != nil {
		return nil, err
	}
	q.isCopy = true
	if err := a.meter.Wait(ctx, q.caller, q.account, true); err != nil {
		if ctx.Err() != nil {
			return nil, apierror.NotBegun(ctx.Err())
		}
		return nil, quotaError(err)
	}
	return func(ctx context.Context, err error) { a.made(ctx, q, err) }, nil
}

// made gives back what a copy took of the quotas of the day where it made nothing.
func (a *access) made(ctx context.Context, q accessQuestion, err error) {
	replayed := false
	if ex := exchange.FromContext(ctx); ex != nil {
		replayed = ex.Replayed
	}
	if err != nil {
		replayed = slices.Contains([]exchange.Outcome{exchange.NotSent, exchange.Rejected}, apierror.FromError(err).Outcome)
	}
	if replayed {
		a.meter.GiveBack(q.caller, q.account)
	}
}

// quotaError returns the error of a call for which a quota is used up.
func quotaError(err error) error {
	if r, ok := errors.AsType[*accounts.QuotaError](err); ok {
		return apierror.QuotaExceeded(r.Error(), r.Wait)
	}
	return err
}

// about returns the error of a call that was not begun. NOT_SENT of a call of the
// LedgerService would be read as the fate of the copy that the call is about.
func about(method *contract.Method, err error) error {
	if contract.Own(method.FullName) {
		return apierror.FromError(err).WithoutOutcome()
	}
	return err
}
