package admission

import (
	"math/rand/v2"
	"time"
)

const (
	// The circuit opens if at least half of the exchanges in the period failed, and there
	// were enough of them.
	breakerCalls  = 20
	breakerPeriod = 10 * time.Second
	// breakerProbes is how many exchanges may probe an open circuit at the same time, and
	// how many must succeed without a failure to close it.
	breakerProbes = 3
	// breakerJitter is the fraction by which the delay varies, so that replicas do not
	// all probe at once.
	breakerJitter = 5
	// probeWait is how long calls are told to wait while all probes are taken.
	probeWait = time.Second
)

// circuit is a state of the breaker. Its values are the names in metrics.
type circuit string

const (
	closed   circuit = "closed"
	open     circuit = "open"
	halfOpen circuit = "half-open"
)

// CircuitStates lists the states of the circuit, by the names that
// [Config.BreakerChanged] gets.
var CircuitStates = []string{string(closed), string(halfOpen), string(open)}

// health is what an exchange shows about the whole service.
type health int8

const (
	ignored health = iota
	success
	failure
)

// breaker refuses calls to an upstream that fails. failsafe-go's breaker was not usable:
// it cannot ignore a result, so a probe whose caller disconnects would either stay taken
// or count as a success or failure. A nil breaker is never open. Its methods must be
// called with the admission's lock held.
type breaker struct {
	delay   time.Duration
	changed func(state string)

	circuit circuit
	// generation counts the changes of state, and since is the time of the last one. A
	// result counts only if its exchange was admitted in the same generation.
	generation uint64
	since      time.Time
	// recent has the results of a closed circuit for each second.
	recent [breakerPeriod / time.Second]struct {
		second        int
		total, failed int
	}
	// until is when an open circuit may be probed.
	until time.Time
	// probes is the number of current probes in a half-open circuit, and succeeded the
	// number of successful ones. abandoned is the longest time after which a caller
	// disconnected from a probe.
	probes, succeeded int
	abandoned         time.Duration
}

// pass admits one exchange, which ends with [breaker.end].
type pass struct {
	generation uint64
	began      time.Time
	probe      bool
}

// newBreaker returns a breaker that stays open for the delay, or nil if the delay is 0.
// changed, if set, is called with each new state; it must not block.
func newBreaker(delay time.Duration, changed func(state string)) *breaker {
	if delay <= 0 {
		return nil
	}
	return &breaker{delay: delay, changed: changed, circuit: closed, since: time.Now()}
}

// refusal reports whether an exchange with this time left would be refused now, and how
// long to wait.
func (b *breaker) refusal(left time.Duration) (wait time.Duration, refused bool) {
	if b == nil {
		return 0, false
	}
	switch b.circuit {
	case open:
		wait = time.Until(b.until)
		return wait, wait > 0
	case halfOpen:
		room := breakerProbes
		if left/2 <= b.abandoned {
			room-- // the last probe is reserved for callers with enough time
		}
		return probeWait, b.probes >= room
	default:
		return 0, false
	}
}

// begin admits an exchange with this time left. If it does not, it returns how long to
// wait.
func (b *breaker) begin(left time.Duration) (p pass, wait time.Duration, ok bool) {
	if b == nil {
		return pass{}, 0, true
	}
	if wait, refused := b.refusal(left); refused {
		return pass{}, wait, false
	}
	if b.circuit == open {
		b.become(halfOpen)
	}
	if b.circuit == halfOpen {
		b.probes++
	}
	return pass{generation: b.generation, began: time.Now(), probe: b.circuit == halfOpen}, 0, true
}

// end ends an exchange with its result. Repeated calls have no effect once the state has
// changed.
func (b *breaker) end(p pass, r health) {
	if b == nil {
		return
	}
	if p.generation != b.generation {
		return
	}
	if !p.probe {
		if r != ignored && b.tooMany(r) {
			b.become(open)
		}
		return
	}
	b.probes--
	switch r {
	case ignored:
		b.abandoned = max(b.abandoned, time.Since(p.began))
	case failure:
		b.become(open)
	default:
		if b.succeeded++; b.succeeded == breakerProbes {
			b.become(closed)
		}
	}
}

// tooMany counts a result and reports whether the circuit must open.
func (b *breaker) tooMany(r health) bool {
	now := int(time.Since(b.since) / time.Second)
	second := &b.recent[now%len(b.recent)]
	if second.second != now {
		second.second, second.total, second.failed = now, 0, 0
	}
	second.total++
	if r == failure {
		second.failed++
	}
	var total, failed int
	for _, s := range b.recent {
		if now-s.second < len(b.recent) {
			total += s.total
			failed += s.failed
		}
	}
	return total >= breakerCalls && 2*failed >= total
}

// become changes the state and forgets the results of the previous state.
func (b *breaker) become(next circuit) {
	b.circuit = next
	b.generation++
	b.since = time.Now()
	clear(b.recent[:])
	b.probes, b.succeeded, b.abandoned = 0, 0, 0
	if next == open {
		jitter := b.delay / breakerJitter
		b.until = b.since.Add(b.delay - jitter + rand.N(2*jitter+1))
	}
	if b.changed != nil {
		b.changed(string(next))
	}
}

// state returns the state of the circuit.
func (b *breaker) state() circuit {
	if b == nil {
		return closed
	}
	return b.circuit
}
