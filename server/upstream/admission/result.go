package admission

import "time"

// Result is what an exchange showed about the upstream.
type Result struct {
	Evidence Evidence
	// Took is the duration of the exchange.
	Took time.Duration
	// RetryAfter is the wait that the upstream named in a refusal, or 0 if it named none.
	RetryAfter time.Duration
}

// Evidence is what an exchange shows about the upstream and the account.
type Evidence int8

const (
	// Ignored is an exchange that the caller ended or that did not take place. It shows
	// nothing.
	Ignored Evidence = iota
	// Served is a response to an accepted credential, including refusals.
	Served
	// Denied is a 401.
	Denied
	// RateLimited is a 429: the account sends too many requests.
	RateLimited
	// Overloaded is a 503 in Diga's envelope: the service is overloaded and did not
	// process the request.
	Overloaded
	// Failed is any other 5xx of the service itself.
	Failed
	// Late is an exchange that the caller's deadline ended after much of the time that
	// digate itself allows, but not all of it.
	Late
	// NoResponse is an exchange without a response from the service: a failed connection,
	// a lost response, a timeout, or a gateway's 502, 503 or 504.
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

// The reasons to refuse an exchange, by their names in metrics.
const (
	byCircuit = iota
	byQueue
	byDeadline
	refusalKinds
)

var refusalNames = [refusalKinds]string{"circuit_open", "queue_full", "deadline"}

// Load is the current load.
type Load struct {
	// InFlight is the number of exchanges in flight, and Limit the maximum. Slots is the
	// number of recorded exchanges that are sent or about to be.
	InFlight, Limit, Slots int
	// Queued is the number of waiting exchanges, and QueuedBytes the total size of their
	// requests.
	Queued      int
	QueuedBytes int64
	// MaxQueued and MaxQueuedBytes are the limits of the queue.
	MaxQueued      int
	MaxQueuedBytes int64
	// Accounts is the number of accounts with state of their own. Limited is how many of
	// them have a limit lowered by 429s, and Paused how many wait for the time that the
	// upstream named.
	Accounts, Limited, Paused int
	// Circuit is closed, half-open or open.
	Circuit string
	// Evidence counts the evidence of overload by kind, and Refused the refused exchanges
	// by reason.
	Evidence, Refused map[string]uint64
}

// Load returns the current load.
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
