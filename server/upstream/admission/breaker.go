package admission

import (
	"math/rand/v2"
	"time"
)

const (
	// The circuit opens when half of the exchanges within the period failed, and
	// there were enough of them to tell.
	breakerCalls  = 20
	breakerPeriod = 10 * time.Second
	// breakerProbes is how many exchanges at a time may probe an open circuit, and
	// how many have to succeed, with no failure among them, to close it.
	breakerProbes = 3
	// breakerJitter is the part of the delay by which it is longer or shorter, so
	// that replicas do not probe all at once.
	breakerJitter = 5
	// probeWait is when to ask again while all probes are taken.
	probeWait = time.Second
)

// circuit is a state of the breaker, by its name in metrics.
type circuit string

const (
	closed   circuit = "closed"
	open     circuit = "open"
	halfOpen circuit = "half-open"
)

// CircuitStates are the states of the circuit, as [Config.BreakerChanged] gets them.
var CircuitStates = []string{string(closed), string(halfOpen), string(open)}

// health is what an exchange shows of the service as a whole.
type health int8

const (
	ignored health = iota
	success
	failure
)

// breaker keeps calls from an upstream that fails. failsafe-go's breaker does not
// serve: it has no result to ignore, so a probe whose caller left would stay taken
// or count as a success or a failure. A nil breaker is never open. Its
// methods are called with the lock of the admission.
type breaker struct {
	delay   time.Duration
	changed func(state string)

	circuit circuit
	// generation counts the changes of state; since is the time of the last one. A
	// result counts only in the generation that admitted its exchange.
	generation uint64
	since      time.Time
	// recent holds the results of a closed circuit, by the second.
	recent [breakerPeriod / time.Second]struct {
		second        int
		total, failed int
	}
	// until is when an open circuit may be probed.
	until time.Time
	// probes counts the probes under way in a half-open circuit, succeeded those
	// that succeeded. abandoned is the longest time after which a probe's caller
	// left.
	probes, succeeded int
	abandoned         time.Duration
}

// pass admits one exchange, which ends with [breaker.end].
type pass struct {
	generation uint64
	began      time.Time
	probe      bool
}

// newBreaker returns a breaker that stays open for the delay, nil if the delay is
// 0. If changed is set, it gets each new state; it must not block.
func newBreaker(delay time.Duration, changed func(state string)) *breaker {
	if delay <= 0 {
		return nil
	}
	return &breaker{delay: delay, changed: changed, circuit: closed, since: time.Now()}
}

// refusal reports whether an exchange whose caller has so much time left could not
// begin now, and when to ask again.
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
			room-- // the last probe is kept for callers who will not abandon it
		}
		return probeWait, b.probes >= room
	default:
		return 0, false
	}
}

// begin admits an exchange whose caller has so much time left, or returns when to
// ask again.
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

// end ends an exchange with its result. Ending it again has no effect once the
// state has changed.
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

// tooMany counts a result and reports whether the circuit has to open.
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

// become changes the state and forgets the results of the one before.
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
