package copies

import (
	"context"
	"errors"
	"time"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/upstream"
)

// send sends the call, for which the attempt holds the claim, and sets the
// flight's results and the verdict.
func (a *attempt) send() {
	stop := a.renewLease()
	defer stop()
	s := sending{attempt: a}
	defer s.end()
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
		Method: a.create.method().FullName(), Request: req, Response: resp, BeforeSend: s.before,
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

// sending is an attempt between its first exchange with Diga and its last.
type sending struct {
	*attempt
	detached context.Context // nil until something is sent
	cancel   context.CancelFunc
}

// before runs before every exchange and returns the context to send under, which
// outlives the caller. A process that stood still meanwhile may have lost the
// claim, so the claim is confirmed each time.
func (s *sending) before() (context.Context, error) {
	cfg := &s.coordinator.cfg
	confirm, ctx := cfg.Ledger.MarkSending, s.ledgerTime
	if s.detached != nil {
		confirm, ctx = cfg.Ledger.Renew, s.detached
	}
	bounded, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	if err := confirm(bounded, s.key, s.token, cfg.Lease); err != nil {
		s.flight.lost = s.detached == nil && errors.Is(err, ledger.ErrLost)
		if cause := ctx.Err(); cause != nil {
			return nil, apierror.NotBegun(cause)
		}
		return nil, apierror.LedgerUnavailable(err)
	}
	if s.detached == nil {
		close(s.flight.sent)
		timeout := cfg.Timeout
		if deadline, ok := s.caller.Deadline(); ok {
			timeout = max(timeout, time.Until(deadline))
		}
		s.detached, s.cancel = s.coordinator.detach(s.caller, timeout)
	}
	return s.detached, nil
}

func (s *sending) end() {
	if s.cancel != nil {
		s.cancel()
	}
}
