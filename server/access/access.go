// Package access decides which calls are allowed when the server has a file of accounts,
// and counts them against the file's quotas. Its interceptors run after authentication
// and before the service.
package access

import (
	"context"
	"errors"
	"slices"

	"google.golang.org/grpc"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
)

// Access decides which calls the file of accounts allows.
type Access struct {
	Store    *accounts.Store
	Meter    *accounts.Meter
	Contract *contract.Contract
}

// question is a call to decide about.
type question struct {
	caller  *accounts.Caller
	account *accounts.Account
	isCopy  bool
}

// decide returns an error unless the caller in the context may make the call. req is nil
// for a stream.
func (a *Access) decide(ctx context.Context, method *contract.Method, req any) (q question, err error) {
	p := authn.FromContext(ctx)
	if p == nil || p.Named() == nil {
		return q, authn.ErrNoCaller()
	}
	set, n := a.Store.Set(), p.Named()
	q.caller, q.account = set.Caller(n.Caller), set.Account(n.Account)
	if q.caller == nil || q.account == nil { // the file has changed since the caller authenticated
		return q, apierror.OtherAccount(nil).WithMessage("the caller or the account is no longer in the file of accounts")
	}
	asked := accounts.Question{Account: n.Account, Method: string(method.Descriptor.Name())}
	if named, ok := req.(interface{ GetTemplateId() string }); ok {
		asked.Template = named.GetTemplateId()
	}
	if d := q.caller.Decide(asked); !d.Allowed {
		return q, apierror.NotAllowed(d.Refusal)
	}
	q.isCopy = method.FullName == integrationv1.IntegrationService_CopyTemplate_FullMethodName
	return q, nil
}

// Unary is the interceptor for unary calls.
func (a *Access) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	method := a.Contract.Method(info.FullMethod)
	if method == nil {
		return handler(ctx, req)
	}
	q, err := a.decide(ctx, method, req)
	if err == nil {
		err = quotaError(a.Meter.Take(q.caller, q.account, q.isCopy))
	}
	if err != nil {
		return nil, withoutCopyOutcome(method, err)
	}
	resp, err := handler(ctx, req)
	if q.isCopy {
		a.refundUnmade(ctx, q, err)
	}
	return resp, err
}

// Stream is the interceptor for streams. [Access.Item] decides about each copy of a bulk
// stream.
func (a *Access) Stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if method := a.Contract.Method(info.FullMethod); method != nil {
		q, err := a.decide(ss.Context(), method, nil)
		if err == nil {
			err = quotaError(a.Meter.Take(q.caller, q.account, false))
		}
		if err != nil {
			return err
		}
	}
	return handler(srv, ss)
}

// Item decides about one copy of a bulk stream that [Access.Stream] has allowed. It waits
// for the per-second quotas, because a stream has the time to. The caller must call ended
// with the result of the copy.
func (a *Access) Item(ctx context.Context, req *integrationv1.CopyTemplateRequest) (ended func(context.Context, error), err error) {
	q, err := a.decide(ctx, a.Contract.Method(integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName), req)
	if err != nil {
		return nil, err
	}
	if err := a.Meter.Wait(ctx, q.caller, q.account, true); err != nil {
		if ctx.Err() != nil {
			return nil, apierror.NotBegun(ctx.Err())
		}
		return nil, quotaError(err)
	}
	return func(ctx context.Context, err error) { a.refundUnmade(ctx, q, err) }, nil
}

// refundUnmade returns a copy to the daily quotas if it created nothing.
func (a *Access) refundUnmade(ctx context.Context, q question, err error) {
	replayed := false
	if ex := exchange.FromContext(ctx); ex != nil {
		replayed = ex.Replayed
	}
	if err != nil {
		replayed = slices.Contains([]exchange.Outcome{exchange.NotSent, exchange.Rejected}, apierror.FromError(err).Outcome)
	}
	if replayed {
		a.Meter.GiveBack(q.caller, q.account)
	}
}

// quotaError returns the error of a call that exceeds a quota.
func quotaError(err error) error {
	if r, ok := errors.AsType[*accounts.QuotaError](err); ok {
		return apierror.QuotaExceeded(r.Error(), r.Wait)
	}
	return err
}

// withoutCopyOutcome returns the error of a call that was not sent. It removes the outcome for calls
// of the LedgerService: NOT_SENT could be read as the outcome of the copy that such a
// call asks about.
func withoutCopyOutcome(method *contract.Method, err error) error {
	if contract.Own(method.FullName) {
		return apierror.FromError(err).WithoutOutcome()
	}
	return err
}
