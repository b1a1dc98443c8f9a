// Package admission decides which calls may go to the upstream, and when: a
// circuit breaker keeps calls from an upstream that fails, and a limiter bounds
// the exchanges under way and the calls that wait for them.
package admission

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"

	"github.com/digate/digate/server/apierror"
)

// Config holds the settings of an admission.
type Config struct {
	// BreakerDelay is how long calls are kept from an upstream that fails; 0 turns
	// the breaker off.
	BreakerDelay time.Duration
	// BreakerChanged, if set, gets each new state of the circuit: closed, half-open
	// or open. It must not block.
	BreakerChanged func(state string)
	// ProbeTimeout is how long the breaker waits for a probe, whose caller may have
	// more time.
	ProbeTimeout time.Duration
	// MinInFlight and MaxInFlight bound the limit of the exchanges under way.
	// MaxQueue bounds the calls that wait for it.
	MinInFlight, MaxInFlight, MaxQueue int
}

// Admission admits exchanges. It may be used by many goroutines.
type Admission struct {
	breaker      *breaker
	limiter      *limiter
	probeTimeout time.Duration
}

// New returns an admission.
func New(cfg Config) *Admission {
	least := max(cfg.MinInFlight, 1)
	return &Admission{
		breaker:      newBreaker(cfg.BreakerDelay, cfg.BreakerChanged),
		limiter:      newLimiter(least, max(cfg.MaxInFlight, least), cfg.MaxQueue),
		probeTimeout: cfg.ProbeTimeout,
	}
}

// Result is what an exchange showed of the upstream.
type Result int8

const (
	// Ignored is an exchange that the caller ended, or that did not take place: it
	// shows nothing.
	Ignored Result = iota
	// Success is a response other than a 5xx, a refusal included.
	Success
	// Failure is a 5xx or no response.
	Failure
)

// Ticket admits one exchange, from [Admission.Enter] to [Ticket.Leave]. It belongs
// to one goroutine.
type Ticket struct {
	admission *Admission
	pass      pass
	recorded  bool
	permit    adaptivelimiter.Permit
	late      *time.Timer // ends a probe that takes too long
}

// Enter waits until an exchange may begin and returns its ticket. The caller names
// who is calling, for a fair share of the queue. An exchange that is recorded
// before it is sent gets its permit from [Ticket.Send] only, so that the time for
// the record is not counted as the upstream's. A failure is an [apierror.Error]
// and needs no Leave.
func (a *Admission) Enter(ctx context.Context, caller string, recorded bool) (Ticket, error) {
	if wait, refused := a.breaker.refuses(left(ctx)); refused {
		return Ticket{}, apierror.CircuitOpen(wait)
	}
	t := Ticket{admission: a, recorded: recorded}
	var err error
	if recorded {
		err = a.limiter.slot(ctx, caller)
	} else {
		t.permit, err = a.limiter.acquire(ctx, caller)
	}
	switch {
	case errors.Is(err, errFull):
		return Ticket{}, apierror.Overloaded()
	case err != nil:
		return Ticket{}, apierror.NotBegun(err)
	}
	pass, wait, ok := a.breaker.begin(left(ctx))
	if !ok {
		t.giveBack(false)
		return Ticket{}, apierror.CircuitOpen(wait)
	}
	t.pass = pass
	return t, nil
}

// Send lets the exchange be sent. A recorded one may have to wait for that, until
// the context ends; its failure is an [apierror.Error].
func (t *Ticket) Send(ctx context.Context) error {
	if t.recorded {
		permit, err := t.admission.limiter.follow(ctx)
		if err != nil {
			return apierror.NotBegun(err)
		}
		t.permit = permit
	}
	if t.pass.probe {
		// Other calls wait for the probe's result.
		b, pass := t.admission.breaker, t.pass
		t.late = time.AfterFunc(t.admission.probeTimeout, func() { b.end(pass, Failure) })
	}
	return nil
}

// Leave ends the exchange with its result.
func (t *Ticket) Leave(r Result) {
	if t.late != nil {
		t.late.Stop()
	}
	t.admission.breaker.end(t.pass, r)
	t.giveBack(r == Success) // the time until a failure is not the upstream's speed
}

// giveBack returns the permit, whose duration may count, and then the slot.
func (t *Ticket) giveBack(counts bool) {
	if t.permit != nil {
		t.admission.limiter.finish(t.permit, counts)
	}
	if t.recorded {
		t.admission.limiter.release()
	}
}

// Load is what is under way and waits at this moment.
type Load struct {
	// InFlight counts the exchanges under way, Limit bounds them. Queued counts the
	// calls that wait, Slots the exchanges that are recorded, sent or about to be.
	InFlight, Limit, Queued, Slots int
	// Circuit is closed, half-open or open.
	Circuit string
}

// Load returns the load.
func (a *Admission) Load() Load {
	return Load{
		InFlight: a.limiter.permits.Inflight(), Limit: a.limiter.permits.Limit(),
		Queued: a.limiter.queued(), Slots: a.limiter.slots.taken(),
		Circuit: a.breaker.state(),
	}
}

// left returns the time until the context's deadline.
func left(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return math.MaxInt64
}
