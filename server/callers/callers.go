// Package callers assigns numbers to callers, and remembers the callers that Diga
// accepted. A caller that Diga has not accepted is a stranger. The limits on streams,
// memory and ledger records identify callers by these numbers.
package callers

import (
	"hash/maphash"
	"net"
	"sync"

	"github.com/digate/digate/server/peers"
)

// maxKnown is the maximum number of callers that are remembered.
const maxKnown = 10_000

// Known remembers the callers whose tokens Diga accepted. It is safe for concurrent use.
type Known struct {
	seed maphash.Seed

	mu      sync.RWMutex
	numbers map[uint64]struct{}
}

// New returns a Known without callers.
func New() *Known { return &Known{seed: maphash.MakeSeed(), numbers: make(map[uint64]struct{})} }

// Number returns the number of the caller with a token, or 0 for an empty token. A
// caller's number differs between processes.
func (k *Known) Number(token string) uint64 {
	if token == "" {
		return 0
	}
	return maphash.String(k.seed, token)
}

// Find returns the number of the caller with a token, and reports whether Diga has
// accepted the token.
func (k *Known) Find(token string) (number uint64, known bool) {
	number = k.Number(token)
	return number, k.has(number)
}

func (k *Known) has(number uint64) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	_, known := k.numbers[number]
	return known
}

// Has reports whether Diga has accepted the token.
func (k *Known) Has(token string) bool {
	_, known := k.Find(token)
	return known
}

// Identify returns the number of a caller: that of its token if Diga has accepted it, and
// otherwise that of its address. It also reports whether Diga has accepted the token.
func (k *Known) Identify(peer net.Addr, token string) (id uint64, known bool) {
	if number, known := k.Find(token); known {
		return number, true
	}
	return maphash.Comparable(k.seed, peers.Address(peer)), false
}

// Count returns how many callers are remembered, and the maximum.
func (k *Known) Count() (n, limit int) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return len(k.numbers), maxKnown
}

// Add records that Diga accepted the token.
func (k *Known) Add(token string) {
	number, known := k.Find(token)
	if known || token == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.numbers) >= maxKnown {
		for old := range k.numbers { // any caller: it is remembered again after its next call
			delete(k.numbers, old)
			break
		}
	}
	k.numbers[number] = struct{}{}
}
