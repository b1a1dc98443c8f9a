package copies

import (
	"errors"
	"log/slog"
	"time"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/deadline"
	"github.com/digate/digate/server/ledger"
)

// claim claims the key for this attempt, or returns the record of a call that is done or
// in doubt. It waits while another replica holds the claim.
func (a *attempt) claim() (ledger.Record, bool, error) {
	ctx, cfg := a.ledgerTime, &a.coordinator.cfg
	claim := ledger.Claim{
		Key: a.key, Fingerprint: a.flight.fingerprint, ParentID: a.create.parentID(), Method: a.create.method().String(), Token: a.token,
		Caller: cfg.Caller(ctx), Lease: cfg.Lease,
	}
	limit := &a.claiming
	for wait := firstPoll; ; wait = min(2*wait, lastPoll) {
		r, mine, err := a.ledger.Claim(bound(ctx, limit), claim)
		limit.End()
		switch {
		case err != nil && ctx.Err() != nil:
			return r, false, apierror.NotBegun(ctx.Err())
		case errors.Is(err, ledger.ErrShare):
			return r, false, apierror.LedgerShareExceeded()
		case err != nil:
			return r, false, apierror.LedgerUnavailable(err)
		case mine:
			return r, true, nil
		case r.Fingerprint != claim.Fingerprint:
			return r, false, requestIDReused()
		case r.State == ledger.Done || r.State == ledger.Unknown:
			return r, false, nil
		}
		limit = new(deadline.Context) // time limit of the next poll
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return r, false, apierror.StillUnderWay(ctx.Err())
		}
	}
}

// releaseClaim releases a claim that may exist although Claim failed. If that fails too,
// the claim ends with its lease.
func (a *attempt) releaseClaim() {
	var limit deadline.Context
	ctx := a.detach(&limit, ledgerTimeout)
	defer limit.End()
	if err := a.ledger.Release(ctx, a.key, a.token); err != nil && !errors.Is(err, ledger.ErrLost) {
		a.coordinator.cfg.Log.LogAttrs(ctx, slog.LevelDebug, "a claim could not be released; it ends with its lease", slog.String("ledger_record", a.key.RecordName()), slog.String("error", err.Error()))
	}
}
