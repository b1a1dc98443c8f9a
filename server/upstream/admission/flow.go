package admission

// What the weight of those who wait is measured in.
const (
	inCalls = iota
	inBytes
)

// flow is what waits of one caller in a lane. Those in first were recorded already and
// go before those in rest.
type flow struct {
	caller      uint64
	first, rest list[waiter]
	weight      [2]int64 // of rest, in calls and in bytes
	drain       drain
	link        link[flow] // in turn
}

func (f *flow) waiting() bool { return f.first.n > 0 || f.rest.n > 0 }

// callers are the callers of an account in a line. Nothing is kept of one who does not
// wait.
type callers struct {
	// turn holds the flows that wait, in the order of their turns.
	turn list[flow]
	// named are the flows that wait by their callers, but for that of a caller without a
	// name, which is unnamed.
	named   map[uint64]*flow
	unnamed flow
	weight  [2]int64 // of all flows
}

// find returns the flow of a caller, which is a new one if the caller does not wait.
func (c *callers) find(caller uint64) *flow {
	if caller == 0 {
		return &c.unnamed
	}
	if f := c.named[caller]; f != nil {
		return f
	}
	return &flow{caller: caller}
}

// enter gives a flow its turn, behind the others.
func (c *callers) enter(f *flow) {
	if f.link.in() {
		return
	}
	c.turn.push(f, &f.link)
	if f.caller != 0 {
		if c.named == nil {
			c.named = make(map[uint64]*flow)
		}
		c.named[f.caller] = f
	}
}

// leave takes the turn of a flow in which nothing waits any more.
func (c *callers) leave(f *flow) {
	f.link.remove()
	delete(c.named, f.caller)
}

// count adds to the weight of a flow.
func (c *callers) count(f *flow, calls int, bytes int64) {
	for _, weight := range []*[2]int64{&f.weight, &c.weight} {
		weight[inCalls] += int64(calls)
		weight[inBytes] += bytes
	}
}

// next returns who has the next turn, and puts the caller behind the others. Somebody
// must wait.
func (c *callers) next() *waiter {
	f := c.turn.head()
	f.link.remove()
	c.turn.push(f, &f.link)
	if w := f.first.head(); w != nil {
		return w
	}
	return f.rest.head()
}

// heaviest returns the flow that has most in the queue, nil if none has anything.
func (c *callers) heaviest(by int) (most *flow) {
	for f := range c.turn.all() {
		if f.rest.n > 0 && (most == nil || f.weight[by] > most.weight[by]) {
			most = f
		}
	}
	return most
}
