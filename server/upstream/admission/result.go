package admission

import "time"

// Result is what an exchange showed of the upstream.
type Result struct {
	Evidence Evidence
	// Took is how long the exchange was under way.
	Took time.Duration
	// RetryAfter is the time that the upstream named with a refusal, 0 if none.
	RetryAfter time.Duration
}

// Evidence is what an exchange lets conclude about the upstream and the account.
type Evidence int8

const (
	// Ignored is an exchange that the caller ended, or that did not take place: it
	// shows nothing.
	Ignored Evidence = iota
	// Served is a response to a credential that the upstream accepts, a refusal
	// included.
	Served
	// Denied is a 401.
	Denied
	// RateLimited is a 429: the account sends too much.
	RateLimited
	// Overloaded is a 503 in Diga's envelope: the service has too much to do, and
	// did not do this.
	Overloaded
	// Failed is any other 5xx of the service itself.
	Failed
	// Late is an exchange that its caller's deadline ended, when the upstream had had
	// much of the time that digate itself gives, but not all of it.
	Late
	// NoResponse is an exchange without a response of the service: no connection, a
	// lost response, a timeout, or a gateway's 502, 503 or 504.
	NoResponse
)

// The kinds of evidence of overload, by their names in metrics.
const (
	ofRate = iota
	ofOverload
	ofTransport
	evidenceKinds
)

var evidenceNames = [evidenceKinds]string{"rate_limited", "overloaded", "transport"}

// The reasons for which an exchange is refused, by their names in metrics.
const (
	byCircuit = iota
	byQueue
	byDeadline
	refusalKinds
)

var refusalNames = [refusalKinds]string{"circuit_open", "queue_full", "deadline"}

// Load is what is under way and waits at this moment.
type Load struct {
	// InFlight counts the exchanges under way, Limit bounds them. Slots counts the
	// exchanges that are recorded, sent or about to be.
	InFlight, Limit, Slots int
	// Queued counts the exchanges that wait, QueuedBytes is the size of their
	// requests.
	Queued      int
	QueuedBytes int64
	// MaxQueued and MaxQueuedBytes bound them.
	MaxQueued      int
	MaxQueuedBytes int64
	// Accounts counts those with state of their own; of these, Limited are held
	// below the bound by 429s, and Paused wait for the time that the upstream named.
	Accounts, Limited, Paused int
	// Circuit is closed, half-open or open.
	Circuit string
	// Evidence counts the evidence of overload by its kind, Refused the exchanges
	// that were refused by the reason.
	Evidence, Refused map[string]uint64
}

// Load returns the load.
func (a *Admission) Load() Load {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	l := Load{
		InFlight: a.lines[sends].used, Limit: a.limit.at(now), Slots: a.lines[slots].used,
		Queued: a.queued, QueuedBytes: a.bytes, MaxQueued: a.maxQueue, MaxQueuedBytes: a.maxQueueBytes, Accounts: len(a.accounts.own), Circuit: string(a.breaker.state()),
		Evidence: make(map[string]uint64, evidenceKinds), Refused: make(map[string]uint64, refusalKinds),
	}
	for i, name := range evidenceNames {
		l.Evidence[name] = a.evidence[i]
	}
	for i, name := range refusalNames {
		l.Refused[name] = a.refused[i]
	}
	for _, own := range a.accounts.own {
		if own.limit.at(now) < a.limit.most {
			l.Limited++
		}
		if own.paused() > 0 {
			l.Paused++
		}
	}
	return l
}
