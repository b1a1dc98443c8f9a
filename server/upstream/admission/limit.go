package admission

import (
	"math"
	"time"
)

const (
	// backoffRatio is the part of what the upstream served that a limit falls to. That
	// part is great because it is known what was served, as DCTCP (RFC 8257) knows it.
	backoffRatio = 0.95
	// deepestRatio bounds the fall within one round trip.
	deepestRatio = 0.1
	// plateau is the time in which a limit returns to what the upstream served, and
	// growth the time in which it comes from there to the bound, whatever it was.
	// Both are stretched by the time after which the evidence came, as its square
	// root: the later it comes, the more has grown meanwhile.
	plateau = time.Second
	growth  = 5 * time.Second
	// tolerance is how much evidence is taken as noise, and toleranceEvery how many
	// exchanges that were served earn one more: two in a hundred lower no limit.
	tolerance      = 3
	toleranceEvery = 50
)

// limit bounds the exchanges under way. It is the bound until there is evidence of
// overload.
type limit struct {
	most int
	// served is how many at once the upstream served when the limit fell, as far as
	// is known; 0 while there is no evidence. flight is how many were under way then,
	// and refused how many of these were refused.
	served, flight, refused float64
	// window counts the falls. An exchange that was sent in an earlier window tells
	// of the same overload.
	window uint32
	// grows is when the limit begins to grow, at what pace stretch says. held is a
	// limit that does not grow.
	grows   time.Time
	stretch float64
	held    bool
	// credit is how much evidence is still noise.
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
	x := -1.0 // in plateaus, from the return to what was served
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

// current returns the limit now, and forgets evidence that it recovered from.
func (l *limit) current() int {
	if l.served == 0 {
		return l.most // without asking for the time
	}
	n := l.at(time.Now())
	if n >= l.most && !l.held {
		l.served = 0
	}
	return n
}

// lowered reports whether evidence holds the limit down.
func (l *limit) lowered() bool { return l.served != 0 && l.current() < l.most }

// floored reports whether the limit cannot fall further.
func (l *limit) floored() bool { return l.served != 0 && l.current() <= 1 }

// serve takes an exchange that was served.
func (l *limit) serve() {
	l.since = true
	l.credit = min(l.credit+1.0/toleranceEvery, tolerance)
}

// overloaded takes evidence from an exchange that was sent in a window, with so many
// others under way, and that took so long. The limit falls unless that is noise,
// or known from the same window; it does not grow for the wait that the upstream
// named. overloaded reports whether the limit fell with nothing served since its
// last fall: fewer exchanges did not help.
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

// hold stops the growth, or lets it begin anew.
func (l *limit) hold(held bool) {
	if l.held = held; !held {
		l.grows = time.Now()
	}
}
