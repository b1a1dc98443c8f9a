package admission

// The units in which the weight of waiting exchanges is measured.
const (
	inCalls = iota
	inBytes
)

// flow is the queue of one caller in a lane. The exchanges in first are recorded already
// and go before those in rest.
type flow struct {
	caller      uint64
	first, rest list[waiter]
	weight      [2]int64 // of rest, in calls and in bytes
	drain       drain
	link        link[flow] // in callers.turn
}

func (f *flow) waiting() bool { return f.first.n > 0 || f.rest.n > 0 }

// callers are the callers with waiting exchanges of an account in a line. Nothing is
// stored for other callers.
type callers struct {
	// turn has the waiting flows in the order of their turns.
	turn list[flow]
	// named has the waiting flows by caller. unnamed is the flow of the caller without a
	// name.
	named   map[uint64]*flow
	unnamed flow
	weight  [2]int64 // of all flows
}

// find returns the flow of a caller. It is new if the caller has no waiting exchange.
func (c *callers) find(caller uint64) *flow {
	if caller == 0 {
		return &c.unnamed
	}
	if f := c.named[caller]; f != nil {
		return f
	}
	return &flow{caller: caller}
}

// enter puts a flow at the end of the turns.
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

// leave removes a flow that is empty.
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

// next returns the exchange whose turn it is, and moves its flow to the end. There must
// be a waiting exchange.
func (c *callers) next() *waiter {
	f := c.turn.head()
	f.link.remove()
	c.turn.push(f, &f.link)
	if w := f.first.head(); w != nil {
		return w
	}
	return f.rest.head()
}

// heaviest returns the flow with the most weight, or nil if all are empty.
func (c *callers) heaviest(by int) (most *flow) {
	for f := range c.turn.all() {
		if f.rest.n > 0 && (most == nil || f.weight[by] > most.weight[by]) {
			most = f
		}
	}
	return most
}
