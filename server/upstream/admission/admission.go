// Package admission decides which exchanges with the upstream may begin, and when. An
// upstream that serves its requests is never held back: only evidence of overload lowers
// a limit, and a lowered limit recovers by itself. Response times are not evidence, since
// they also rise because of digate, the network or larger requests.
//
// # Evidence
//
// A 429 concerns only the account that got it (RFC 6585: the user has sent too many
// requests), and lowers the [limit] of that account. A 503 in Diga's envelope, a
// gateway's 502, 503 or 504, a timeout and a failed connection concern the service (RFC
// 9110, 15.6), and lower the limit for all accounts. A timeout counts only if the
// exchange had at least half of the time that digate itself allows: a shorter deadline
// says what the caller wants and not what the upstream can do. The circuit breaker counts
// failures of the service and timeouts after all of that time. It never counts a 429.
//
// # Limits
//
// A limit follows the congestion window of TCP CUBIC (RFC 9438), as the adaptive retry
// mode of the AWS SDKs does for throttling. It falls once for all evidence of one round
// trip, to a fraction of what the upstream served. It returns to that value, stays near
// it for a while, and then grows faster and faster. The growth depends only on time, so
// the limit recovers in seconds at any response time. Without evidence, the limit is the
// configured maximum.
//
// # Queue
//
// Exchanges beyond a limit wait. They are served round robin over the accounts, within an
// account round robin over its callers, and for each caller in order. A request counts as
// one whatever its size, because the upstream limits requests. A call is refused at once
// if its caller's queue is too slow for the call's deadline. A waiting call is refused
// when the upstream names a time for its account that is after the call's deadline. If
// the queue is full, the account with the most waiting exchanges loses one, and of its
// callers the one with the most (as in FQ-CoDel, RFC 8290). A caller with too many calls
// therefore delays and displaces only its own.
//
// # Accounts
//
// An account is identified by a name or, if callers bring tokens for Diga, by the token.
// Only an account that the upstream has accepted has state of its own. All others share a
// few account objects by hash (stochastic fairness queueing, McKenney 1990), so that
// invented tokens take no memory and no turns from accounts that the upstream knows.
package admission

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/digate/digate/server/apierror"
)

// Config is the configuration of an admission.
type Config struct {
	// BreakerDelay is how long an open circuit breaker refuses calls. 0 disables the
	// breaker.
	BreakerDelay time.Duration
	// BreakerChanged, if set, is called with each new state of the circuit: closed,
	// half-open or open. It must not block and must not call the admission.
	BreakerChanged func(state string)
	// ProbeTimeout is how long the breaker waits for the result of a probe, even if its
	// caller has more time.
	ProbeTimeout time.Duration
	// MaxInFlight is the maximum number of concurrent exchanges, per account and in
	// total.
	MaxInFlight int
	// MaxQueue is the maximum number of waiting exchanges, and MaxQueueBytes that of
	// their requests' bytes.
	MaxQueue      int
	MaxQueueBytes int64
}

// Admission admits exchanges. It is safe for concurrent use.
//
// An exchange that is recorded in the ledger before it is sent waits twice: for a slot,
// in which it is recorded, and then for its turn to be sent. The number of exchanges
// marked as sending at a crash is therefore limited to MaxInFlight, and a slow ledger
// does not delay exchanges without a record.
type Admission struct {
	maxQueue      int
	maxQueueBytes int64
	probeTimeout  time.Duration

	mu       sync.Mutex
	breaker  *breaker
	limit    limit // of all accounts
	accounts accounts
	lines    [2]line // slots and sends
	queued   int
	bytes    int64
	evidence [evidenceKinds]uint64
	refused  [refusalKinds]uint64
	tick     *time.Timer
	ticking  bool
}

// The two lines in which an exchange may wait.
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

// Request describes an exchange to admit.
type Request struct {
	// Account identifies the account whose credential is used.
	Account string
	// Caller identifies the user of the account. It is empty if the account has only one.
	Caller string
	// Size is the size of the request in bytes, for the limit of the queue.
	Size int64
	// MaxWait is how long the exchange may wait, even if its context allows more. 0 means
	// no limit.
	MaxWait time.Duration
	// Recorded means that the exchange is recorded in the ledger between
	// [Admission.Enter] and [Ticket.Send].
	Recorded bool
}

// Ticket admits one exchange, from [Admission.Enter] to [Ticket.Leave]. It is for use by
// one goroutine.
type Ticket struct {
	admission *Admission
	account   *account
	key       uint64
	caller    uint64 // 0 for a caller without a name
	pass      pass
	slot      bool // has a slot
	sent      sending
	late      *time.Timer // ends a probe that takes too long
}

// sending is the state in which an exchange was sent.
type sending struct {
	held bool
	// flight is the number of the account's concurrent exchanges, including this one, and
	// flightAll that of all accounts. window and windowAll are the windows of the two
	// limits.
	flight, flightAll int
	window, windowAll uint32
}

// hold records what the ticket took.
func (t *Ticket) hold(which int, s sending) {
	if which == slots {
		t.slot = true
		return
	}
	t.sent = s
}

// Enter waits until an exchange may begin and returns its ticket. Its error is an
// [apierror.Error] and means that nothing was sent. Leave must not be called after an
// error.
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
		s, err := a.wait(ctx, &t, which, r.Size, most, false) // unlocks during the wait
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

// Send permits the exchange to be sent. A recorded exchange may have to wait until then,
// at most until the context ends. The error is an [apierror.Error].
func (t *Ticket) Send(ctx context.Context) error {
	a := t.admission
	if t.slot {
		a.mu.Lock()
		if a.free(sends, t.account) {
			t.hold(sends, a.take(sends, t.account))
		} else {
			s, err := a.wait(ctx, t, sends, 0, math.MaxInt64, true) // unlocks during the wait
			if err != nil {
				a.mu.Unlock()
				return err
			}
			t.hold(sends, s)
		}
		a.mu.Unlock()
	}
	if t.pass.probe {
		// Other calls wait for the result of the probe, so its time is limited.
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

// learn adjusts limits and breaker to a result.
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
		// If the limit cannot fall further and there is still a 503, the service is down.
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

// limited handles evidence about the account.
func (a *Admission) limited(t *Ticket, r Result) {
	own := a.accounts.known(t, false)
	if own.limited(r, t.sent) {
		a.refusePaused(own)
	}
}

// overloaded handles evidence about the service.
func (a *Admission) overloaded(t *Ticket, r Result) {
	a.limit.overloaded(t.sent.windowAll, max(t.sent.flightAll, a.lines[sends].used), r.Took, 0)
}

// judge reports a result to the breaker. While the circuit is not closed, a lowered limit
// does not grow, because nothing is sent that could show it to be too high.
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

// giveBack releases what the ticket holds, and serves exchanges that wait for it.
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

// TimeLeft returns the time until the context's deadline, or the maximum duration if it
// has none.
func TimeLeft(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return math.MaxInt64
}
