package copies

import (
	"errors"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
)

// replay reads what the recorded call created, removes the mark from its name, and sets
// the flight's results. The record has no id if the id was too long for the ledger.
func (a *attempt) replay(r ledger.Record) {
	f, id := a.flight, r.CreatedID
	f.replayed, f.ex.Replayed, f.ex.CreatedID = true, true, id
	if id == "" {
		f.err = apierror.AlreadyCreated(a.create.method().Resource(), "", errors.New("the id is not in the ledger"))
		return
	}
	ctx, read := exchange.NewContext(a.caller)
	created, err := a.create.read(ctx, a.coordinator.cfg.Upstream, id)
	f.ex.Attempts = read.Attempts
	if err == nil && created.id != id {
		err = errors.New("another resource was read")
	}
	if err != nil {
		f.err = apierror.AlreadyCreated(a.create.method().Resource(), id, err)
		return
	}
	// The body is Diga's. The status is not copied, because it is that of a read and not
	// of a create call.
	f.ex.Outcome, f.ex.Body, f.ex.Relay, f.ex.Drift = exchange.Done, read.Body, read.Relay, read.Drift
	f.created = created
	a.unmark(r)
}
