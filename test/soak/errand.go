package soak

import "time"

// errand is what a few calls of a mix that creates have in common: the same request
// with one request id, over gRPC and over REST. Their token is the errand's own.
type errand struct {
	kind errandKind
	// order, most and after are those of a stream. With after it begins after an
	// integration that was created lately.
	descending, after bool
	most              int
	// given means that the variable of a previewed template is given.
	given bool
}

type errandKind int

const (
	createIntegration errandKind = iota
	createTool
	// A copy that must not leave a placeholder unresolved, with the variable and
	// without it.
	copyResolved
	copyUnresolved
	preview
	streamIntegrations
	errandKinds
)

var errandNames = [errandKinds]string{
	"an integration", "a tool", "a copy", "a copy without its variable", "a preview", "a stream",
}

func (k errandKind) String() string { return errandNames[k] }

// creates reports whether the errand creates something.
func (k errandKind) creates() bool { return k <= copyResolved }

// tries is the number of calls of an errand.
const tries = 3

// errand returns an errand.
func (s *script) errand(n int) errand {
	r := s.rand(ofErrand, n, 0)
	return errand{
		kind: errandKind(r.IntN(int(errandKinds))), descending: r.IntN(2) == 0, after: r.IntN(2) == 0,
		most: 1 + r.IntN(250), given: r.IntN(2) == 0,
	}
}

// try returns the errand that a call belongs to, and which of its calls that is. Two
// begin together, and the third when most of these have ended.
func (s *script) try(call int) (n, try int) {
	together := max(20, s.calls/24) // errands
	block, i := call/(tries*together), call%(tries*together)
	if i < 2*together {
		return block*together + i/2, i % 2
	}
	return block*together + i - 2*together, 2
}

// key returns the number by which the line knows the requests of a call: that of the
// errand in a mix that creates, else that of the call.
func (s *script) key(call int) int {
	if s.mix.creates {
		n, _ := s.try(call)
		return n
	}
	return call
}

// errandCaller returns the caller of a call of an errand.
func (s *script) errandCaller(call int) caller {
	n, try := s.try(call)
	c := s.caller(call)
	c.padding = 0
	c.habit = habit((s.rand(ofErrand, n, 1).IntN(2) + try) % 2)
	if s.errand(n).kind == streamIntegrations && c.deadline == 0 {
		c.deadline = upstreamTimeout // digate's own is for each page
	}
	return c
}

// moment is when a call was under way.
type moment struct{ began, ended time.Time }
