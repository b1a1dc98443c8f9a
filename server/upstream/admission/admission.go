// Package admission decides which exchanges with the upstream may begin, and
// when. An upstream that serves what it gets is never held back: nothing but
// evidence of overload lowers a limit, and a lowered limit recovers by itself.
// Response times are no evidence, since they also rise because of digate, the
// network or larger requests.
//
// # Evidence
//
// A 429 concerns the account that got it (RFC 6585: the user sent too many
// requests), and lowers that account's [limit] alone. A 503 in Diga's envelope, a
// gateway's 502, 503 or 504, a timeout and a connection that fails concern the
// service (RFC 9110, 15.6), and lower the limit of all. A timeout is one after half
// of the time that digate itself gives, at least: a shorter deadline of a caller
// tells what the caller wants and not what the upstream can do. The circuit breaker
// counts failures of the service, timeouts after all of that time, and never a 429.
//
// # Limits
//
// A limit follows the window of TCP CUBIC (RFC 9438), as the adaptive retry mode
// of the AWS SDKs does for throttling: it falls once for all evidence of one
// round trip, to a share of what the upstream did serve, returns to that and stays
// about there, and then grows ever faster. Time alone makes it grow, so that it
// recovers in seconds whatever the response time is. Without evidence it is the
// configured bound.
//
// # Queue
//
// Exchanges beyond a limit wait: in turn over the accounts, within an account in turn
// over its callers, and each caller's in order (round robin: a request counts as one
// whatever its size, since it is requests that the upstream limits). A caller whose
// queue moves too slowly for a call's deadline has the call refused at once. So has an
// account a waiting call when the upstream names a time after the call's deadline. When
// the queue is full, the account that has most in it gives way, and of its callers the
// one that has most (as in FQ-CoDel, RFC 8290), so that a greedy one delays and refuses
// itself.
//
// # Accounts
//
// An account has a name, or is a token where callers bring theirs. Only one that the
// upstream accepted has state of its own; those that it did not accept yet share a few accounts by their hash
// (stochastic fairness queueing, McKenney 1990). So invented tokens take neither
// memory nor turns from those that the upstream knows.
package admission

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/digate/digate/server/apierror"
)

// Config holds the settings of an admission.
type Config struct {
	// BreakerDelay is how long calls are kept from an upstream that fails; 0 turns
	// the breaker off.
	BreakerDelay time.Duration
	// BreakerChanged, if set, gets each new state of the circuit: closed, half-open
	// or open. It must not block and must not call the admission.
	BreakerChanged func(state string)
	// ProbeTimeout is how long the breaker waits for a probe, whose caller may have
	// more time.
	ProbeTimeout time.Duration
	// MaxInFlight bounds the exchanges under way, of one account and of all.
	MaxInFlight int
	// MaxQueue bounds the exchanges that wait, MaxQueueBytes their requests' size.
	MaxQueue      int
	MaxQueueBytes int64
}

// Admission admits exchanges. It may be used by many goroutines.
//
// An exchange that is recorded before it is sent takes two turns: for a slot, in
// which it is recorded, and then to be sent. So no more exchanges are marked as
// sending at a crash than may be under way, and a slow record delays none that has
// no record.
type Admission struct {
	maxQueue      int
	maxQueueBytes int64
	probeTimeout  time.Duration

	mu       sync.Mutex
	breaker  *breaker
	limit    limit // of all accounts
	accounts accounts
	lines    [2]line // slots, sends
	queued   int
	bytes    int64
	evidence [evidenceKinds]uint64
	refused  [refusalKinds]uint64
	tick     *time.Timer
	ticking  bool
}

// The two lines that an exchange may wait in.
const (
	slots = iota // to be recorded
	sends        // to be sent
)

// New returns an admission.
func New(cfg Config) *Admission {
	most := max(cfg.MaxInFlight, 1)
	return &Admission{
		maxQueue: cfg.MaxQueue, maxQueueBytes: cfg.MaxQueueBytes, probeTimeout: cfg.ProbeTimeout,
		breaker: newBreaker(cfg.BreakerDelay, cfg.BreakerChanged), limit: newLimit(most, tolerance), accounts: newAccounts(most),
	}
}

// Request is what asks to be admitted.
type Request struct {
	// Account names whose credential is used.
	Account string
	// Caller names who uses the credential; empty where only one does.
	Caller string
	// Size is the size of the request in bytes, for the bound of the queue.
	Size int64
	// MaxWait is how long the exchange may wait at most, whatever time its context
	// leaves; 0 is no bound.
	MaxWait time.Duration
	// Recorded is an exchange that is recorded between [Admission.Enter] and
	// [Ticket.Send].
	Recorded bool
}

// Ticket admits one exchange, from [Admission.Enter] to [Ticket.Leave]. It belongs
// to one goroutine.
type Ticket struct {
	admission *Admission
	account   *account
	key       uint64
	caller    uint64 // 0 for one without a name
	pass      pass
	slot      bool // holds a slot
	sent      sending
	late      *time.Timer // ends a probe that takes too long
}

// sending is the state in which an exchange was sent.
type sending struct {
	held bool
	// flight counts the exchanges under way with it, of its account and of all;
	// window is that of the two limits.
	flight, flightAll int
	window, windowAll uint32
}

// hold notes what the ticket took.
func (t *Ticket) hold(which int, s sending) {
	if which == slots {
		t.slot = true
		return
	}
	t.sent = s
}

// Enter waits until an exchange may begin and returns its ticket. A failure is an
// [apierror.Error], needs no Leave, and means that nothing was sent.
func (a *Admission) Enter(ctx context.Context, r Request) (Ticket, error) {
	remaining := TimeLeft(ctx)
	most := r.MaxWait
	if most == 0 {
		most = math.MaxInt64
	}
	a.mu.Lock()
	if wait, refused := a.breaker.refusal(remaining); refused {
		a.refused[byCircuit]++
		a.mu.Unlock()
		return Ticket{}, apierror.CircuitOpen(wait)
	}
	t := Ticket{admission: a}
	t.account, t.key = a.accounts.find(r.Account)
	t.caller = a.accounts.caller(r.Caller)
	which := sends
	if r.Recorded {
		which = slots
	}
	if a.free(which, t.account) {
		t.hold(which, a.take(which, t.account))
	} else {
		s, err := a.wait(ctx, &t, which, r.Size, most, false) // unlocks while it waits
		if err != nil {
			a.accounts.settle(t.account)
			a.mu.Unlock()
			return Ticket{}, err
		}
		t.hold(which, s)
	}
	defer a.mu.Unlock()
	var wait time.Duration
	var ok bool
	if t.pass, wait, ok = a.breaker.begin(remaining); !ok {
		a.refused[byCircuit]++
		a.giveBack(&t)
		return Ticket{}, apierror.CircuitOpen(wait)
	}
	return t, nil
}

// Send lets the exchange be sent. A recorded one may have to wait for that, until
// the context ends; its failure is an [apierror.Error].
func (t *Ticket) Send(ctx context.Context) error {
	a := t.admission
	if t.slot {
		a.mu.Lock()
		if a.free(sends, t.account) {
			t.hold(sends, a.take(sends, t.account))
		} else {
			s, err := a.wait(ctx, t, sends, 0, math.MaxInt64, true) // unlocks while it waits
			if err != nil {
				a.mu.Unlock()
				return err
			}
			t.hold(sends, s)
		}
		a.mu.Unlock()
	}
	if t.pass.probe {
		// Other calls wait for the probe's result.
		pass := t.pass
		t.late = time.AfterFunc(a.probeTimeout, func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.judge(pass, failure)
		})
	}
	return nil
}

// Leave ends the exchange with its result.
func (t *Ticket) Leave(r Result) {
	if t.late != nil {
		t.late.Stop()
	}
	a := t.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	a.learn(t, r)
	a.giveBack(t)
}

// learn takes what a result shows.
func (a *Admission) learn(t *Ticket, r Result) {
	failed := r.Evidence == Failed || r.Evidence == NoResponse
	switch {
	case !t.sent.held:
	case r.Evidence == Served:
		a.limit.serve()
		a.accounts.known(t, true).limit.serve()
	case r.Evidence == RateLimited:
		a.evidence[ofRate]++
		a.limited(t, r)
	case r.Evidence == Overloaded:
		a.evidence[ofOverload]++
		// A 503 that fewer exchanges cannot cure is of a service that is down.
		failed = a.limit.floored() && t.sent.windowAll == a.limit.window
		a.overloaded(t, r)
		if r.RetryAfter > 0 {
			a.limited(t, r)
		}
	case r.Evidence == NoResponse || r.Evidence == Late:
		a.evidence[ofTransport]++
		a.overloaded(t, r)
	}
	switch {
	case r.Evidence == Ignored || r.Evidence == Late:
		a.judge(t.pass, ignored)
	case failed:
		a.judge(t.pass, failure)
	default:
		a.judge(t.pass, success)
	}
}

// limited takes evidence that concerns the account.
func (a *Admission) limited(t *Ticket, r Result) {
	own := a.accounts.known(t, false)
	if own.limited(r, t.sent) {
		a.refusePaused(own)
	}
}

// overloaded takes evidence that concerns the service.
func (a *Admission) overloaded(t *Ticket, r Result) {
	a.limit.overloaded(t.sent.windowAll, max(t.sent.flightAll, a.lines[sends].used), r.Took, 0)
}

// judge tells the breaker of a result. While the circuit is not closed, a lowered
// limit does not grow: nothing is sent that could show it to be too high.
func (a *Admission) judge(p pass, h health) {
	before := a.breaker.state()
	a.breaker.end(p, h)
	if after := a.breaker.state(); after != before {
		a.limit.hold(after != closed)
		if after == open {
			a.refuseUnrecorded(a.breaker.until)
		}
	}
}

// giveBack returns what the ticket holds, and lets those follow who waited for it.
func (a *Admission) giveBack(t *Ticket) {
	if t.sent.held {
		t.sent.held = false
		a.release(sends, t.account)
	}
	if t.slot {
		t.slot = false
		a.release(slots, t.account)
	}
	a.accounts.settle(t.account)
}

// TimeLeft returns the time until the context's deadline, the longest of all where it has
// none.
func TimeLeft(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return math.MaxInt64
}
