// Package access decides what the callers of a file of accounts may do.
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

// Access decides what the callers of a file of accounts may do.
type Access struct {
	Store    *accounts.Store
	Meter    *accounts.Meter
	Contract *contract.Contract
}

// question is what a caller asks for.
type question struct {
	caller  *accounts.Caller
	account *accounts.Account
	isCopy  bool
}

// decide returns an error unless the context's caller may make a call with a request,
// which is nil for a stream.
func (a *Access) decide(ctx context.Context, method *contract.Method, req any) (q question, err error) {
	p := authn.FromContext(ctx)
	if p == nil || p.Named() == nil {
		return q, authn.ErrNoCaller()
	}
	set, n := a.Store.Set(), p.Named()
	q.caller, q.account = set.Caller(n.Caller), set.Account(n.Account)
	if q.caller == nil || q.account == nil { // the file is another since the caller came
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

// Unary decides about unary calls.
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
		return nil, about(method, err)
	}
	resp, err := handler(ctx, req)
	if q.isCopy {
		a.made(ctx, q, err)
	}
	return resp, err
}

// Stream decides about streams. The copies of a bulk stream are decided about by
// themselves.
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

// Item decides about a copy of a bulk stream, whose stream was decided about. A copy
// waits for the quotas of a second, as the stream has time; ended is called with its
// result.
func (a *Access) Item(ctx context.Context, req *integrationv1.CopyTemplateRequest) (ended func(context.Context, error), err error) {
	q, err := a.decide(ctx, a.Contract.Method(integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName), req)
	if err != nil {
		return nil, err
	}
	q.isCopy = true
	if err := a.Meter.Wait(ctx, q.caller, q.account, true); err != nil {
		if ctx.Err() != nil {
			return nil, apierror.NotBegun(ctx.Err())
		}
		return nil, quotaError(err)
	}
	return func(ctx context.Context, err error) { a.made(ctx, q, err) }, nil
}

// made gives back what a copy took of the quotas of the day where it made nothing.
func (a *Access) made(ctx context.Context, q question, err error) {
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
