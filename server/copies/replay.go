package copies

import (
	"errors"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
)

// replay reads what the call of a record created, takes the mark of that call's claim
// off its name, and sets the flight's results. The id is empty if it was too long for
// the ledger.
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
	// The body is Diga's. The status is not taken over: it is that of a read, not
	// of a create.
	f.ex.Outcome, f.ex.Body, f.ex.Relay, f.ex.Drift = exchange.Done, read.Body, read.Relay, read.Drift
	f.created = created
	a.unmark(r)
}
