package copies

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/deadline"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/stack"
)

// attempt runs one flight: it claims the key, then sends the call or reads what an
// earlier call created, and writes the result to the ledger.
type attempt struct {
	coordinator *Coordinator
	flight      *flight
	create      create
	key         ledger.Digest
	token       ledger.Token
	ledger      Ledger // the ledger with the call's record

	// caller is the context of the flight's caller, with the flight's exchange. It limits
	// the flight until the call is sent.
	caller context.Context
	// detached is caller without its cancellation and deadline.
	detached detached
	// ledgerTime is caller with an earlier deadline: it reserves time for the ledger
	// before the call is sent.
	ledgerTime context.Context
	// The time limits of the attempt's steps: of everything before the call is sent, of a
	// ledger operation in each state, and of the call to Diga once it was sent.
	preparing, claiming, marking, sending, recording deadline.Context
	lease                                            lease

	// ledgerChange is the change to write to the record.
	change ledgerChange
	// requestedName is the name in the caller's request. suffix is what was added to it in the
	// request that was sent. It is empty if the call has no mark.
	requestedName, suffix string
	// mayBeClaimed means that Claim failed but may have claimed the key.
	mayBeClaimed bool
}

// do runs a flight until its result is there. Another goroutine does the work that is
// left then. ctx is the context of the flight's caller.
func (c *Coordinator) do(ctx context.Context, a *attempt, record string) {
	stack.Grow()
	f := a.flight
	began := time.Now()
	ctx, traced := f.trace(ctx)
	a.caller, f.ex = exchange.NewContext(ctx)
	f.ex.LedgerRecord = record
	a.detached = detached{caller: a.caller, closed: c.closed}
	a.ledgerTime = a.caller
	defer a.preparing.End()
	if d, ok := a.caller.Deadline(); ok {
		a.preparing.Set(a.caller, beforeDeadline(d))
		a.ledgerTime = &a.preparing
	}
	a.run()
	if f.err != nil {
		f.ex.Outcome = apierror.FromError(f.err).Outcome
	}
	f.ex.CreatedID = cmp.Or(f.created.id, f.ex.CreatedID)
	f.abandoned = f.err != nil && !f.isSent() && (ctx.Err() != nil || outOfTime(f.err))
	err := a.recordFirst(ctx)
	// The record is written before the renaming: without the record, the mark in the name
	// is what proves that the call created the integration.
	named := a.suffix == "" || a.change != recordDone || err == nil && a.rename(began)
	left := ctx.Err() != nil && f.isSent()
	c.flights.finish(a.key, f)
	if left {
		_, end := c.cfg.Observer.Start(a.caller, exchange.Operation{
			Kind: exchange.DetachedCall, Method: a.create.method().FullName(), Began: began, Request: a.create.request(),
		})
		end(f.ex, f.err)
	}
	if err == nil && named && !a.mayBeClaimed {
		traced(left)
		c.flights.wg.Done()
		return
	}
	go func() {
		defer c.flights.wg.Done()
		a.settleRecord(err, named)
		traced(left)
	}()
}

// settleRecord finishes the work that failed or found no time while the caller waited.
// err is the error of recordFirst, and named reports whether the created resource has the
// requested name.
func (a *attempt) settleRecord(err error, named bool) {
	recorded := err == nil || a.retryRecord(err)
	if recorded && !named {
		a.renameLater()
	}
	if a.mayBeClaimed {
		a.releaseClaim()
	}
}

// run claims the key and sends the call, or reads what an earlier call created. It sets
// the flight's results and the change to write to the record.
func (a *attempt) run() {
	f := a.flight
	defer func() {
		if p := recover(); p != nil {
			f.err, a.change = a.panicked(p), recordNothing // the record is settled when its lease expires
		}
	}()
	a.token = ledger.NewToken()
	r, mine, err := a.claim()
	if r.Key != a.key && r.State != 0 { // the record was found under another key than the call's own
		f.ex.LedgerRecord = r.Key.RecordName()
	}
	switch {
	case err != nil:
		f.err = err
		a.mayBeClaimed = r.Key == ledger.Digest{} // no record was read
	case mine:
		a.send()
	case r.State == ledger.Done:
		a.replay(r)
	default:
		a.inDoubt(r)
	}
}

// panicked returns the error of a flight that panicked. Only the type of the panic is
// logged, because its value may contain anything.
func (a *attempt) panicked(p any) error {
	a.coordinator.cfg.Log.LogAttrs(a.caller, slog.LevelError, "panic", slog.String("ledger_record", a.key.RecordName()),
		slog.String("type", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())))
	outcome := exchange.NotSent
	if a.flight.isSent() {
		outcome = exchange.Unknown
	}
	return apierror.Internal(fmt.Errorf("panic of type %T", p), outcome)
}

// detach sets c to the caller's context without its cancellation and deadline, and
// returns it. It expires after the timeout, and ends when the coordinator is closed.
func (a *attempt) detach(c *deadline.Context, timeout time.Duration) context.Context {
	c.Set(&a.detached, time.Now().Add(timeout))
	return c
}

// bound sets c to ctx with the time limit of a ledger operation, and returns it.
func bound(ctx context.Context, c *deadline.Context) context.Context {
	c.Set(ctx, time.Now().Add(ledgerTimeout))
	return c
}

// outOfTime reports whether an error means that the caller had no time left. Another
// caller may have more.
func outOfTime(err error) bool {
	for e, ok := errors.AsType[*apierror.Error](err); ok; e, ok = errors.AsType[*apierror.Error](e.Unwrap()) {
		if e.Code == codes.DeadlineExceeded || e.Code == codes.Canceled {
			return true
		}
	}
	return false
}
