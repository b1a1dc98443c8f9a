package soak

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// script decides what happens in a run of a mix. It is a function of the seed. It
// has no state, so the order of the questions does not matter.
type script struct {
	mix   mix
	seed  uint64
	calls int
}

// long is the least number of calls per mix in the long form.
const long = 2000

// The independent random sequences of a script.
const (
	ofCaller uint64 = iota
	ofAttempt
	ofConnection
	ofPause
	ofErrand
)

func (s *script) rand(stream uint64, i, j int) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s.mix.name))
	return rand.New(rand.NewPCG(s.seed^h.Sum64(), stream<<60^uint64(i)<<16^uint64(j)))
}

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least+1)))
}

// attempt returns the fault of an attempt of a call. Attempts are numbered from 0.
func (s *script) attempt(call, attempt int) fault {
	r := s.rand(ofAttempt, call, attempt)
	f := fault{
		rate: 1000 + r.IntN(15000), cut: r.IntN(1000),
		fin: r.IntN(2) == 0, bare: r.IntN(3) == 0, retryAfter: -1,
	}
	at := r.IntN(1000)
	if call < s.warmUps() || s.quiet(call) {
		return f
	}
	for _, share := range s.mix.attempts {
		if at -= share.perMille; at < 0 {
			f.kind = share.kind
			break
		}
	}
	switch f.kind {
	case latency:
		f.wait = between(r, time.Millisecond, 250*time.Millisecond)
	case slow:
		f.wait = between(r, 200*time.Millisecond, 2500*time.Millisecond)
	case closesIdle:
		f.wait = between(r, 0, 5*time.Millisecond)
	case pageBefore, pageAfter:
		f.status = []int{502, 502, 503, 504, 520}[r.IntN(5)]
	case refusal:
		f.status = []int{400, 401, 403, 404, 409, 412, 422, 422}[r.IntN(8)]
	case noID:
		f.status = []int{200, 201, 202}[r.IntN(3)]
	case storm, busy:
		f.retryAfter = []int{-1, 0, 0, 1, 1, 1, 2, 60}[r.IntN(8)]
		f.date = r.IntN(3) == 0
	}
	return f
}

// tenants is the number of tokens that the callers share. Diga limits each by itself:
// with few of them, an account that digate holds back would take most calls with it.
func (s *script) tenants() int { return max(16, s.calls/16) }

// bearer returns the token of a call.
func (s *script) bearer(call int) string {
	if s.mix.creates {
		return fmt.Sprintf("%s%d", bearerPrefix, s.key(call))
	}
	return fmt.Sprintf("%s%d", bearerPrefix, call%s.tenants())
}

const bearerPrefix = "Bearer soak-"

// warmUps is the number of calls without a fault before the others. Each token has
// one of them: digate knows every token as one that the upstream accepts.
func (s *script) warmUps() int {
	if s.mix.creates {
		return 48 // whose errands are the only ones with their tokens
	}
	return s.tenants()
}

// servers is the number of digates that share the calls.
func (s *script) servers() int { return max(1, min(s.mix.servers, s.calls/1000)) }

// heapAllowance returns by how much the heap of a digate may grow.
func (s *script) heapAllowance() int64 {
	if s.mix.creates {
		return heapAllowance + int64(s.calls/s.servers())*recordAllowance
	}
	return heapAllowance
}

// quiet reports whether the call falls between two outages.
func (s *script) quiet(call int) bool {
	n := s.mix.outages
	return n > 0 && call/(s.calls/(2*n))%2 == 1
}

// connection returns the fault of a connection, by the order in which they open.
func (s *script) connection(ordinal int) fault {
	r := s.rand(ofConnection, ordinal, 0)
	f := fault{fin: r.IntN(2) == 0, cut: r.IntN(1000)}
	at := r.IntN(1000)
	for _, share := range s.mix.connections {
		if at -= share.perMille; at < 0 {
			f.kind = share.kind
			break
		}
	}
	return f
}

// habit is the way in which a caller makes its call.
type habit int

const (
	overGRPC habit = iota
	overREST
	// These hold digate up: they do not read the response, or do not finish the
	// request.
	deafGRPC
	deafREST
	haltingREST
)

// caller describes the caller of a call.
type caller struct {
	habit habit
	// deadline is sent to digate over gRPC, and known only to the caller over REST; 0
	// is none.
	deadline time.Duration
	// cancel is when the caller gives up; 0 is never.
	cancel time.Duration
	// padding is added to the request, in bytes.
	padding int
}

// caller returns the caller of a call.
func (s *script) caller(call int) caller {
	r := s.rand(ofCaller, call, 0)
	c := caller{habit: habit(r.IntN(2))}
	share := 700 // per mille of calls that have a deadline
	if c.habit == overREST {
		share = 150
	}
	deadline, cancel := between(r, 100*time.Millisecond, upstreamTimeout), between(r, time.Millisecond, 300*time.Millisecond)
	if r.IntN(1000) < share {
		c.deadline = deadline
	}
	if r.IntN(1000) < 50 {
		c.cancel = cancel
	}
	switch at := r.IntN(1000); {
	case at < 5:
		c.padding = 1 << 20
	case at < 50:
		c.padding = 64 << 10
	}
	if call < s.warmUps() {
		c.deadline, c.cancel = 0, 0
	} else if at := r.IntN(1000); at < s.mix.holdUps {
		c = caller{habit: deafGRPC + habit(at%3)}
	}
	return c
}

// pause returns how long a caller waits after a call that was not sent. Without it
// all calls would be over before the upstream is back.
func (s *script) pause(call int) time.Duration {
	return between(s.rand(ofPause, call, 0), 50*time.Millisecond, 200*time.Millisecond)
}

// restarts reports whether the upstream restarts as this call begins.
func (s *script) restarts(call int) bool {
	n := min(s.mix.restarts, s.calls/100)
	every := s.calls / (n + 1)
	return n > 0 && call >= s.warmUps() && call%every == 0 && call/every <= n
}
