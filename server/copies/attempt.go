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

// attempt carries one flight: it claims the key, then sends the call or reads what
// an earlier call created, and holds the verdict to record.
type attempt struct {
	coordinator *Coordinator
	flight      *flight
	create      create
	key         ledger.Digest
	token       ledger.Token
	ledger      Ledger // keeps the record

	// caller is the context of the flight's caller, with the flight's exchange. It
	// counts until the call is sent.
	caller context.Context
	// detached is caller without its end.
	detached detached
	// ledgerTime is caller with a little time kept back: what the ledger may take
	// before the call is sent.
	ledgerTime context.Context
	// The time limits of the attempt's steps: of all that happens before the call is
	// sent, of a call to the ledger in each state, and of the call to Diga once it was
	// sent.
	inTime, claiming, marking, sending, recording deadline.Context
	lease                                         lease

	// verdict is what the ledger has to record.
	verdict verdict
	// asked is the name that was asked for, and suffix what the request that was sent
	// has behind it: empty unless the call is marked.
	asked, suffix string
	// claimUnsure means that a claim may have been made although Claim failed.
	claimUnsure bool
}

// do carries a flight until it is done, and has what is left to do then done by another
// goroutine. The context is its caller's.
func (c *Coordinator) do(ctx context.Context, a *attempt, record string) {
	stack.Grow()
	f := a.flight
	began := time.Now()
	ctx, traced := f.trace(ctx)
	a.caller, f.ex = exchange.NewContext(ctx)
	f.ex.LedgerRecord = record
	a.detached = detached{caller: a.caller, closed: c.closed}
	a.ledgerTime = a.caller
	defer a.inTime.End()
	if d, ok := a.caller.Deadline(); ok {
		a.inTime.Set(a.caller, beforeDeadline(d))
		a.ledgerTime = &a.inTime
	}
	a.run()
	if f.err != nil {
		f.ex.Outcome = apierror.FromError(f.err).Outcome
	}
	f.ex.CreatedID = cmp.Or(f.created.id, f.ex.CreatedID)
	f.abandoned = f.err != nil && !f.isSent() && (ctx.Err() != nil || outOfTime(f.err))
	err := a.recordFirst(ctx)
	// The record comes first: without it, the mark is what shows that the call created
	// the integration.
	named := a.suffix == "" || a.verdict != recordDone || err == nil && a.rename(began)
	left := ctx.Err() != nil && f.isSent()
	c.flights.finish(a.key, f)
	if left {
		_, end := c.cfg.Observer.Start(a.caller, exchange.Operation{
			Kind: exchange.DetachedCall, Method: a.create.method().FullName(), Began: began, Request: a.create.request(),
		})
		end(f.ex, f.err)
	}
	if err == nil && named && !a.claimUnsure {
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

// settleRecord does what could not be done while the caller waited. The error is that of
// recordFirst, and named reports whether what was created has its name.
func (a *attempt) settleRecord(err error, named bool) {
	recorded := err == nil || a.retryRecord(err)
	if recorded && !named {
		a.renameLater()
	}
	if a.claimUnsure {
		a.releaseClaim()
	}
}

// run claims the key and sends the call, or reads what an earlier call created. It
// sets the flight's results and the verdict.
func (a *attempt) run() {
	f := a.flight
	defer func() {
		if p := recover(); p != nil {
			f.err, a.verdict = a.panicked(p), recordNothing // the lease settles the record
		}
	}()
	a.token = ledger.NewToken()
	r, mine, err := a.claim()
	if r.Key != a.key && r.State != 0 { // another key than the call's own found it
		f.ex.LedgerRecord = r.Key.RecordName()
	}
	switch {
	case err != nil:
		f.err = err
		a.claimUnsure = r.Key == ledger.Digest{} // no record was seen
	case mine:
		a.send()
	case r.State == ledger.Done:
		a.replay(r)
	default:
		a.inDoubt(r)
	}
}

// panicked returns the error of a flight that ended in a panic. The panic is
// logged by its type alone, since its value may quote anything.
func (a *attempt) panicked(p any) error {
	a.coordinator.cfg.Log.LogAttrs(a.caller, slog.LevelError, "panic", slog.String("ledger_record", a.key.RecordName()),
		slog.String("type", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())))
	outcome := exchange.NotSent
	if a.flight.isSent() {
		outcome = exchange.Unknown
	}
	return apierror.Internal(fmt.Errorf("panic of type %T", p), outcome)
}

// detach makes c the caller's context without its cancellation and deadline, and returns
// it. It ends after the timeout, and when the coordinator is closed.
func (a *attempt) detach(c *deadline.Context, timeout time.Duration) context.Context {
	c.Set(&a.detached, time.Now().Add(timeout))
	return c
}

// bound makes c the context ctx with the time limit of a call to the ledger, and returns it.
func bound(ctx context.Context, c *deadline.Context) context.Context {
	c.Set(ctx, time.Now().Add(ledgerTimeout))
	return c
}

// outOfTime reports whether a failure, or a cause of it, is that a caller had no
// time left. Another caller may have time.
func outOfTime(err error) bool {
	for e, ok := errors.AsType[*apierror.Error](err); ok; e, ok = errors.AsType[*apierror.Error](e.Unwrap()) {
		if e.Code == codes.DeadlineExceeded || e.Code == codes.Canceled {
			return true
		}
	}
	return false
}
