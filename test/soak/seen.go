package soak

import "fmt"

const (
	// leastMet is how many of a thousand faults that the script has for first attempts
	// must be met: the other calls left or were refused before.
	leastMet = 200
	// leastConnections is how many connections are expected, as a part of a thousand
	// calls.
	leastConnections = 50
	// mostNotSent is how many of a thousand calls may meet no fault because they were
	// not sent, where there is an upstream.
	mostNotSent = 800
)

// shown is a verdict that at least so many of a thousand calls of a long run must be
// told, and one call of a short run.
type shown struct {
	verdict  verdict
	perMille int
}

// met are the faults that requests and connections met on the line, by their kind.
type met struct {
	// first counts those of first attempts alone, and all those of all attempts and
	// connections.
	first, all [kinds]int
}

// total returns the number of faults.
func (m met) total() (n int) {
	for k := clean + 1; k < kinds; k++ {
		n += m.all[k]
	}
	return n
}

// planned returns how many first attempts the script has a fault of each kind for.
func (s *script) planned() (planned [kinds]int) {
	counted := make(map[int]bool)
	for call := range s.calls {
		if key := s.key(call); !counted[key] {
			counted[key] = true
			planned[s.attempt(key, 0).kind]++
		}
	}
	return planned
}

// sure is how often a verdict must be expected in a short run, so that the run must
// have met it at all.
const sure = 20

// shortfalls returns what too little of was seen in a run: a run without it proves
// nothing.
func shortfalls(m mix, calls int, planned [kinds]int, t tally, seen met) (missing []string) {
	lack := func(format string, args ...any) {
		missing = append(missing, "the mix tested nothing: "+fmt.Sprintf(format, args...))
	}
	for _, v := range m.shows {
		least := calls * v.perMille / 1000
		if calls < long {
			if least < sure || m.guarded && v.verdict != done {
				continue // so few calls may not have met it, or the open circuit held them back
			}
			least = 1
		}
		if t.told[v.verdict] < least {
			lack("%d of %d calls were told %s, want %d or more", t.told[v.verdict], calls, v.verdict, least)
		}
	}
	if calls < long {
		return missing
	}
	if most := calls * mostNotSent / 1000; t.told[notSent] > most && !m.absent && !m.nameless {
		lack("%d of %d calls were not sent, want %d or fewer", t.told[notSent], calls, most)
	}
	for _, share := range m.attempts {
		want := planned[share.kind]
		if least := want * leastMet / 1000; seen.first[share.kind] < least {
			lack("fault %d: %d of %d calls met it, want %d or more", share.kind, seen.first[share.kind], want, least)
		}
	}
	for _, share := range m.connections {
		if least := calls * share.perMille / 1000 * leastConnections / 1000; seen.all[share.kind] < least {
			lack("fault %d: %d connections met it, want %d or more", share.kind, seen.all[share.kind], least)
		}
	}
	return missing
}
