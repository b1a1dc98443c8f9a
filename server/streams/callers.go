package streams

import (
	"hash/maphash"
	"net"
	"sync"
)

// maxKnown bounds the callers that are remembered as known.
const maxKnown = 10_000

// callers gives callers numbers, and remembers those whose token Diga accepted: they are
// known, and all others are strangers.
type callers struct {
	seed maphash.Seed

	mu    sync.RWMutex
	known map[uint64]struct{}
}

func newCallers() callers {
	return callers{seed: maphash.MakeSeed(), known: make(map[uint64]struct{})}
}

// Caller returns a number for the caller with a token, 0 for none. It is another one in
// each process.
func (c *callers) Caller(token string) uint64 {
	if token == "" {
		return 0
	}
	return maphash.String(c.seed, token)
}

func (c *callers) knows(caller uint64) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, known := c.known[caller]
	return known
}

// Knows reports whether Diga accepted the token.
func (c *callers) Knows(token string) bool { return token != "" && c.knows(c.Caller(token)) }

// Identify returns a number for a caller: that of its token if Diga accepted it, and else
// that of its address. It reports whether Diga accepted the token.
func (c *callers) Identify(peer net.Addr, token string) (id uint64, known bool) {
	if c.Knows(token) {
		return c.Caller(token), true
	}
	return maphash.Comparable(c.seed, Address(peer)), false
}

// Know remembers that Diga accepted the token.
func (c *callers) Know(token string) {
	caller := c.Caller(token)
	if c.knows(caller) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxKnown {
		for old := range c.known { // any: it is known again with its next call
			delete(c.known, old)
			break
		}
	}
	c.known[caller] = struct{}{}
}
