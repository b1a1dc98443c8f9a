package admission

import (
	"math"
	"time"
)

const (
	// backoffRatio is the fraction of what the upstream served that a limit falls to. It
	// can be high because the number of served exchanges is known, as in DCTCP (RFC
	// 8257).
	backoffRatio = 0.95
	// deepestRatio limits the fall within one round trip.
	deepestRatio = 0.1
	// plateau is the time in which a limit returns to what the upstream served, and
	// growth the time from there to the maximum, whatever the maximum is. Both are
	// multiplied by the square root of the time that the evidence took to arrive: the
	// later it arrives, the more the limit has grown meanwhile.
	plateau = time.Second
	growth  = 5 * time.Second
	// tolerance is how much evidence is ignored as noise. Every toleranceEvery served
	// exchanges add one to it, so that two failures in a hundred exchanges lower no
	// limit.
	tolerance      = 3
	toleranceEvery = 50
)

// limit limits the number of concurrent exchanges. It equals the configured maximum until
// there is evidence of overload.
type limit struct {
	most int
	// served is the number of exchanges that the upstream served concurrently when the
	// limit fell, as far as known. It is 0 if there is no evidence. flight is how many
	// were in flight then, and refused how many of these were refused.
	served, flight, refused float64
	// window counts the falls. Evidence from an exchange sent in an earlier window is
	// about the same overload.
	window uint32
	// grows is when the limit begins to grow, and stretch slows the growth. A held limit
	// does not grow.
	grows   time.Time
	stretch float64
	held    bool
	// credit is how much evidence is still ignored as noise.
	credit float64
	// since reports whether an exchange was served since the last fall.
	since bool
}

func newLimit(most int, credit float64) limit { return limit{most: most, credit: credit} }

// at returns the limit at a time.
func (l *limit) at(now time.Time) int {
	if l.served == 0 {
		return l.most
	}
	x := -1.0 // in plateaus, relative to the time of the return to served
	if !l.held {
		x = max(float64(now.Sub(l.grows))/(float64(plateau)*l.stretch)-1, -1)
	}
	value := l.served
	if x < 0 {
		value += l.served * (1 - backoffRatio) * x * x * x
	} else {
		part := x * float64(plateau) / float64(growth)
		value += float64(l.most) * part * part * part
	}
	return max(int(min(value, float64(l.most))), 1)
}

// current returns the limit now, and forgets evidence once the limit has recovered from
// it.
func (l *limit) current() int {
	if l.served == 0 {
		return l.most // avoids reading the clock
	}
	n := l.at(time.Now())
	if n >= l.most && !l.held {
		l.served = 0
	}
	return n
}

// lowered reports whether evidence keeps the limit below the maximum.
func (l *limit) lowered() bool { return l.served != 0 && l.current() < l.most }

// floored reports whether the limit cannot fall further.
func (l *limit) floored() bool { return l.served != 0 && l.current() <= 1 }

// serve records a served exchange.
func (l *limit) serve() {
	l.since = true
	l.credit = min(l.credit+1.0/toleranceEvery, tolerance)
}

// overloaded handles evidence from an exchange: the window in which it was sent, how many
// exchanges were in flight, how long it took, and the wait that the upstream named. The
// limit falls unless the evidence is noise or from a window that already led to a fall.
// It does not grow during the named wait. overloaded reports whether the limit fell
// without any exchange served since the last fall, which means that fewer exchanges did
// not help.
func (l *limit) overloaded(window uint32, flight int, took, wait time.Duration) (useless bool) {
	if window != l.window {
		if l.served != 0 {
			l.refused++
			l.served = max(l.flight-l.refused, l.flight*deepestRatio, 1)
		}
		return false
	}
	if l.credit >= 1 {
		l.credit--
		return false
	}
	useless = !l.since
	l.window++
	l.credit, l.since = 0, false
	l.flight, l.refused = float64(flight), 1
	l.served = max(l.flight-l.refused, l.flight*deepestRatio, 1)
	l.grows = time.Now().Add(wait)
	l.stretch = math.Sqrt(1 + float64(took)/float64(plateau))
	return useless
}

// hold stops the growth, or starts it again.
func (l *limit) hold(held bool) {
	if l.held = held; !held {
		l.grows = time.Now()
	}
}
