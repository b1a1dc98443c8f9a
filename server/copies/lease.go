package copies

import (
	"context"
	"errors"
	"time"

	"github.com/digate/digate/server/ledger"
)

// renewLease renews the claim's lease at a third of its length until stop is
// called, the claim is lost, or the coordinator is closed.
func (a *attempt) renewLease() (stop func()) {
	c := a.coordinator
	ctx, cancel := context.WithCancel(context.WithoutCancel(a.caller))
	every := c.cfg.Lease / 3
	var renew func()
	renew = func() {
		if ctx.Err() != nil {
			return // stop came between two renewals
		}
		bounded, end := context.WithTimeout(ctx, ledgerTimeout)
		defer end()
		err := c.cfg.Ledger.Renew(bounded, a.key, a.token, c.cfg.Lease)
		if ctx.Err() == nil && c.closed.Err() == nil && !errors.Is(err, ledger.ErrLost) {
			time.AfterFunc(every, renew)
		}
	}
	timer := time.AfterFunc(every, renew)
	return func() { cancel(); timer.Stop() }
}
