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

// send sends the call of the attempt, which holds the claim. It sets the flight's results
// and the change to write to the record.
func (a *attempt) send() {
	a.coordinator.leases.start(a)
	defer a.coordinator.leases.stop(a)
	defer a.sending.End()
	if check := a.create.check(); check != nil {
		if err := check(a.ledgerTime); err != nil {
			a.flight.err, a.change, a.flight.refused = err, recordRelease, true
			return
		}
	}
	req, err := a.mark()
	if err != nil {
		a.flight.err, a.change = err, recordRelease
		return
	}
	resp, created := a.create.response()
	err = a.coordinator.cfg.Upstream.Call(a.caller, upstream.Call{
		Method: a.create.method().FullName(), Request: req, Response: resp, BeforeSend: a.beforeSend,
	})
	if err == nil {
		a.flight.created, a.change = created(), recordDone
		return
	}
	a.flight.err = err
	if a.flight.lost {
		return
	}
	switch apierror.FromError(err).Outcome {
	case exchange.NotSent, exchange.Rejected:
		a.change = recordRelease
	default:
		a.change = recordUnknown
	}
}

// beforeSend runs before every exchange with Diga. It returns the context for the
// exchange, which outlives the caller. It confirms the claim each time, because a process
// that was suspended may have lost it.
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
