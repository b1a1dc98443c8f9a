package copies

import (
	"context"
	"errors"
	"time"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/deadline"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/upstream"
)

// send sends the call, for which the attempt holds the claim, and sets the
// flight's results and the verdict.
func (a *attempt) send() {
	a.coordinator.leases.keep(a)
	defer a.coordinator.leases.drop(a)
	defer a.sending.End()
	if check := a.create.check(); check != nil {
		if err := check(a.ledgerTime); err != nil {
			a.flight.err, a.verdict, a.flight.refused = err, recordRelease, true
			return
		}
	}
	req, err := a.mark()
	if err != nil {
		a.flight.err, a.verdict = err, recordRelease
		return
	}
	resp, created := a.create.response()
	err = a.coordinator.cfg.Upstream.Call(a.caller, upstream.Call{
		Method: a.create.method().FullName(), Request: req, Response: resp, BeforeSend: a.beforeSend,
	})
	if err == nil {
		a.flight.created, a.verdict = created(), recordDone
		return
	}
	a.flight.err = err
	if a.flight.lost {
		return
	}
	switch apierror.FromError(err).Outcome {
	case exchange.NotSent, exchange.Rejected:
		a.verdict = recordRelease
	default:
		a.verdict = recordUnknown
	}
}

// beforeSend runs before every exchange and returns the context to send under, which
// outlives the caller. A process that stood still meanwhile may have lost the claim, so
// the claim is confirmed each time.
func (a *attempt) beforeSend() (context.Context, error) {
	cfg, again := &a.coordinator.cfg, a.flight.isSent()
	confirm, ctx, limit := a.ledger.MarkSending, a.ledgerTime, &a.marking
	if again {
		confirm, ctx, limit = a.ledger.Renew, &a.sending, new(deadline.Context)
	}
	defer limit.End()
	if err := confirm(bound(ctx, limit), a.key, a.token, cfg.Lease); err != nil {
		a.flight.lost = !again && errors.Is(err, ledger.ErrLost)
		if cause := ctx.Err(); cause != nil {
			return nil, apierror.NotBegun(cause)
		}
		return nil, apierror.LedgerUnavailable(err)
	}
	if !again {
		timeout := cfg.Timeout
		if ends, ok := a.caller.Deadline(); ok {
			timeout = max(timeout, time.Until(ends))
		}
		a.detach(&a.sending, timeout)
		close(a.flight.sent)
	}
	return &a.sending, nil
}
