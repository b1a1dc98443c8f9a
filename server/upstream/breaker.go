package upstream

import (
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// The circuit opens when half of the exchanges within the period failed, and
	// there were enough of them to tell.
	breakerCalls  = 20
	breakerPeriod = 10 * time.Second
	// breakerTrials is how many exchanges at a time may try an open circuit, and
	// how many have to do well, with none that fails among them, to close it.
	breakerTrials = 3
	// breakerJitter is the part of the delay by which it is longer or shorter, so
	// that replicas do not try again all at once.
	breakerJitter = 5
	// trialWait is when to ask again where all trials are taken.
	trialWait = time.Second
)

// health is what an exchange says of the vendor.
type health int8

const (
	// silent: nothing, since the caller ended it.
	silent health = iota
	// alive: it answered, though perhaps with a refusal.
	alive
	// failing: no exchange came about, or a 5xx.
	failing
)

// circuit is a state of the breaker, by its name in metrics.
type circuit string

const (
	closed   circuit = "closed"
	open     circuit = "open"
	halfOpen circuit = "half-open"
)

// breaker leaves a vendor alone that fails. It is not failsafe-go's, which knows
// no result that says nothing: a trial whose caller left would stay taken there,
// or be taken for a good or a bad one. A nil breaker is never open.
type breaker struct {
	delay   time.Duration
	changed func(state string)

	mu      sync.Mutex
	circuit circuit
	// era counts the states that there were, and since is when this one began: a
	// result counts only in the one that let it begin.
	era   uint64
	since time.Time
	// recent are the results of a closed circuit, a second each.
	recent [breakerPeriod / time.Second]struct {
		second        int
		total, failed int
	}
	// until is when an open circuit may be tried.
	until time.Time
	// trials are those under way in a half-open circuit, good those that did well,
	// wasted the longest after which a caller left.
	trials, good int
	wasted       time.Duration
}

// turn is leave for one exchange, which ends with [breaker.end].
type turn struct {
	era   uint64
	began time.Time
	trial bool
}

// newBreaker returns a breaker that stays open for the delay, nil for none. The
// listener, which may be nil, is told of each change; it must not block.
func newBreaker(delay time.Duration, changed func(state string)) *breaker {
	if delay <= 0 {
		return nil
	}
	return &breaker{delay: delay, changed: changed, circuit: closed, since: time.Now()}
}

// refuses says whether an exchange could not begin now whose caller has so much
// time left, and when to ask again.
func (b *breaker) refuses(left time.Duration) (wait time.Duration, refused bool) {
	if b == nil {
		return 0, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refusal(left)
}

func (b *breaker) refusal(left time.Duration) (wait time.Duration, refused bool) {
	switch b.circuit {
	case open:
		wait = time.Until(b.until)
		return wait, wait > 0
	case halfOpen:
		room := breakerTrials
		if left/2 <= b.wasted {
			room-- // one place is kept from callers who would leave it as the last did
		}
		return trialWait, b.trials >= room
	default:
		return 0, false
	}
}

// begin asks to begin an exchange whose caller has so much time left.
func (b *breaker) begin(left time.Duration) (t turn, wait time.Duration, ok bool) {
	if b == nil {
		return turn{}, 0, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait, refused := b.refusal(left); refused {
		return turn{}, wait, false
	}
	if b.circuit == open {
		b.become(halfOpen)
	}
	if b.circuit == halfOpen {
		b.trials++
	}
	return turn{era: b.era, began: time.Now(), trial: b.circuit == halfOpen}, 0, true
}

// end says how an exchange went.
func (b *breaker) end(t turn, h health) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.era != b.era {
		return
	}
	if !t.trial {
		if h != silent && b.tooMany(h) {
			b.become(open)
		}
		return
	}
	b.trials--
	switch h {
	case silent:
		b.wasted = max(b.wasted, time.Since(t.began))
	case failing:
		b.become(open)
	default:
		if b.good++; b.good == breakerTrials {
			b.become(closed)
		}
	}
}

// tooMany counts a result and says whether the circuit has to open.
func (b *breaker) tooMany(h health) bool {
	now := int(time.Since(b.since) / time.Second)
	slot := &b.recent[now%len(b.recent)]
	if slot.second != now {
		slot.second, slot.total, slot.failed = now, 0, 0
	}
	slot.total++
	if h == failing {
		slot.failed++
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

// become begins another state with nothing of the one before.
func (b *breaker) become(next circuit) {
	b.circuit = next
	b.era++
	b.since = time.Now()
	clear(b.recent[:])
	b.trials, b.good, b.wasted = 0, 0, 0
	if next == open {
		jitter := b.delay / breakerJitter
		b.until = b.since.Add(b.delay - jitter + rand.N(2*jitter+1))
	}
	if b.changed != nil {
		b.changed(string(next))
	}
}

// state returns "closed", "half-open" or "open".
func (b *breaker) state() string {
	if b == nil {
		return string(closed)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.circuit)
}
