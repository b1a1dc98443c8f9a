package emulator

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// maxRules is the maximum number of rules of an emulator.
const maxRules = 1000

// Rule makes calls fail or slow. It applies to the calls that it matches, and gives them
// a fault, a response or only a delay.
type Rule struct {
	Name  string // assigned by the emulator if empty
	Match Match
	After int           // how many matching calls are skipped first
	Times int           // how often the rule applies; 0 for no limit
	OneIn int           // it applies to one in OneIn calls, selected by the seed; 0 for every call
	For   time.Duration // how long it then applies to every matching call
	Delay Latency       // in addition to the latency of all calls

	Fault    string // the Name of one of Faults
	Response *Response
	// Commit makes the operation take effect, although the response says that it failed.
	Commit bool
}

// Response is the response of a rule. Its body is Body, or the error with ErrorCode and
// Message in Diga's envelope.
type Response struct {
	Status             int
	ErrorCode, Message string
	Header             map[string]string
	Body               string // sent as text/plain unless Header has a Content-Type
}

// Fail adds a rule after the existing ones. For each call, the first rule that applies to
// it is used. An invalid call is refused before any rule is tried.
func (e *Emulator) Fail(r Rule) error {
	o, err := checkObject(stateFields, object{{"faults", []any{r.object()}}})
	if err != nil {
		return err
	}
	return e.Add(newState(o))
}

// object returns the rule in the form of the control routes.
func (r Rule) object() object {
	o := object{{"match", r.Match.object()}}
	if r.Name != "" {
		o = append(o, member{"name", r.Name})
	}
	for _, n := range []struct {
		name  string
		value int
	}{{"after", r.After}, {"times", r.Times}, {"one_in", r.OneIn}} {
		if n.value != 0 {
			o = append(o, member{n.name, integer(strconv.Itoa(n.value))})
		}
	}
	if r.For != 0 {
		o = append(o, member{"for", r.For.String()})
	}
	if len(r.Delay.points) > 0 {
		o = append(o, member{"delay", r.Delay.String()})
	}
	if r.Fault != "" {
		o = append(o, member{"fault", r.Fault})
	}
	if r.Response != nil {
		o = append(o, member{"response", r.Response.object()})
	}
	if r.Commit {
		o = append(o, member{"commit", true})
	}
	return o
}

func (r *Response) object() object {
	o := object{{"status", integer(strconv.Itoa(r.Status))}}
	for _, f := range [][2]string{{"error_code", r.ErrorCode}, {"message", r.Message}, {"body", r.Body}} {
		if f[1] != "" {
			o = append(o, member{f[0], f[1]})
		}
	}
	headers := object{}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		headers = append(headers, member{name, r.Header[name]})
	}
	return append(o, member{"headers", headers})
}

// rule is a validated Rule with its counters.
type rule struct {
	name   string
	match  match
	after  int           // how many matching calls are skipped first
	times  int           // how often the rule applies; 0 for no limit
	oneIn  int           // one in so many calls, at random; 0 for every call
	window time.Duration // how long it applies to every matching call, once it has applied
	delay  Latency
	commit bool // the operation takes effect, although the response says that it failed

	fault    *fault    // nil if the rule has a response or only a delay
	response *response // sent instead of the operation's response
	given    object    // the response in the form in which the rule was given

	matched, struck int
	until           time.Time // end of the window
}

// hits counts a matching call and reports whether the rule applies to it.
func (r *rule) hits(now time.Time, random *rand.Rand) bool {
	r.matched++
	if r.matched <= r.after {
		return false
	}
	if now.Before(r.until) {
		return true
	}
	if r.times > 0 && r.struck >= r.times || r.oneIn > 1 && random.IntN(r.oneIn) != 0 {
		return false
	}
	r.struck++
	r.until = now.Add(r.window)
	return true
}

// view returns the rule with its counters in the form of the control routes.
func (r *rule) view() object {
	return append(r.spec(), member{"matched", r.matched}, member{"struck", r.struck})
}

// spec returns the rule in the form that [ParseState] reads.
func (r *rule) spec() object {
	o := object{{"name", r.name}}
	if m := r.match.view(); len(m) > 0 {
		o = append(o, member{"match", m})
	}
	for _, n := range []member{{"after", r.after}, {"times", r.times}, {"one_in", r.oneIn}} {
		if n.value != 0 {
			o = append(o, n)
		}
	}
	if r.window > 0 {
		o = append(o, member{"for", r.window.String()})
	}
	if len(r.delay.points) > 0 {
		o = append(o, member{"delay", r.delay.String()})
	}
	if r.fault != nil {
		o = append(o, member{"fault", r.fault.Name})
	}
	if r.response != nil {
		o = append(o, member{"response", r.given})
	}
	if r.commit {
		o = append(o, member{"commit", true})
	}
	return o
}

// rules are the rules of an emulator, in the order in which they are tried.
type rules struct {
	mu     sync.Mutex
	list   []*rule
	random *rand.Rand
	named  int // how many rules were given a name here
}

// strike is the effect of a rule on a call.
type strike struct {
	*rule
	left time.Duration // remaining time of the rule's window
}

// next returns the effect of the first rule that applies to a call. ok is false if none
// does. The call counts as a match for the rules up to that one, and not for those after
// it.
func (s *rules) next(c *call, now time.Time) (hit strike, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.list {
		if r.match.call(c) && r.hits(now, s.random) {
			return strike{r, r.until.Sub(now)}, true
		}
	}
	return strike{}, false
}

// replace replaces all rules by new ones, without their counts. The seed decides which
// calls rules with one_in apply to.
func (s *rules) replace(list []*rule, seed int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list, s.named, s.random = nil, 0, seeded(seed)
	s.append(list)
}

// seeded returns a generator of random numbers that depend only on the seed.
func seeded(seed int64) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 0)) }

// add adds rules after the existing ones. A rule replaces an existing one with the same
// name.
func (s *rules) add(list []*rule) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list)+len(list) > maxRules {
		return fmt.Errorf("an emulator has at most %d rules", maxRules)
	}
	s.append(list)
	return nil
}

// append adds copies of rules, and assigns names to those without one. The caller must
// hold mu.
func (s *rules) append(list []*rule) {
	for _, r := range list {
		own := *r
		own.matched, own.struck, own.until = 0, 0, time.Time{}
		for own.name == "" || r.name == "" && s.index(own.name) >= 0 {
			s.named++
			own.name = "rule-" + strconv.Itoa(s.named)
		}
		if i := s.index(own.name); i >= 0 {
			s.list[i] = &own
		} else {
			s.list = append(s.list, &own)
		}
	}
}

func (s *rules) index(name string) int {
	return slices.IndexFunc(s.list, func(r *rule) bool { return r.name == name })
}

// remove removes the rules for which drop returns true, and returns their number.
func (s *rules) remove(drop func(*rule) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.list)
	s.list = slices.DeleteFunc(s.list, drop)
	return before - len(s.list)
}

// all returns copies of the rules.
func (s *rules) all() []*rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*rule, len(s.list))
	for i, r := range s.list {
		own := *r
		list[i] = &own
	}
	return list
}

// carryOut responds to a valid call. Rules decide whether and how the call fails.
func (e *Emulator) carryOut(c *call, do func() response) response {
	hit, ok := e.rules.next(c, e.clock.now())
	if !ok {
		return do()
	}
	resp := hit.play(e, c, do)
	resp.rule = hit.name
	resp.delay = e.draw(hit.delay)
	if hit.window > 0 && (resp.status == http.StatusTooManyRequests || resp.status == http.StatusServiceUnavailable) {
		seconds := int((hit.left + time.Second - 1) / time.Second)
		resp = resp.with("Retry-After", strconv.Itoa(seconds))
	}
	return resp
}

// play returns the response to a call that the rule applies to.
func (r *rule) play(e *Emulator, c *call, do func() response) response {
	if r.commit {
		if resp := do(); resp.failed() {
			return resp
		}
	}
	switch {
	case r.fault != nil:
		return r.fault.respond(e, c, do)
	case r.response != nil:
		return *r.response
	}
	return do()
}

// draw returns a random delay of a distribution.
func (e *Emulator) draw(l Latency) time.Duration {
	if len(l.points) < 2 {
		return l.at(1)
	}
	e.randomMu.Lock()
	defer e.randomMu.Unlock()
	return l.at(e.random.Float64())
}
