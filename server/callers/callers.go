// Package callers gives callers numbers, and remembers those that Diga accepted. The shares
// of callers in streams, in memory and in the ledger go by these numbers.
package callers

import (
	"hash/maphash"
	"net"
	"sync"

	"github.com/digate/digate/server/peers"
)

// maxKnown bounds the callers that are remembered as known.
const maxKnown = 10_000

// Known remembers the callers whose token Diga accepted. All others are strangers. It may
// be used by many goroutines.
type Known struct {
	seed maphash.Seed

	mu      sync.RWMutex
	numbers map[uint64]struct{}
}

// New returns a Known of nobody.
func New() *Known { return &Known{seed: maphash.MakeSeed(), numbers: make(map[uint64]struct{})} }

// Number returns a number for the caller with a token, 0 for none. It is another one in
// each process.
func (k *Known) Number(token string) uint64 {
	if token == "" {
		return 0
	}
	return maphash.String(k.seed, token)
}

// Find returns the number of the caller with a token, and reports whether Diga accepted
// the token.
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

// Has reports whether Diga accepted the token.
func (k *Known) Has(token string) bool {
	_, known := k.Find(token)
	return known
}

// Identify returns a number for a caller: that of its token if Diga accepted it, and else
// that of its address. It reports whether Diga accepted the token.
func (k *Known) Identify(peer net.Addr, token string) (id uint64, known bool) {
	if number, known := k.Find(token); known {
		return number, true
	}
	return maphash.Comparable(k.seed, peers.Address(peer)), false
}

// Count returns how many callers are remembered, and how many may be.
func (k *Known) Count() (n, limit int) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return len(k.numbers), maxKnown
}

// Add remembers that Diga accepted the token.
func (k *Known) Add(token string) {
	number, known := k.Find(token)
	if known || token == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.numbers) >= maxKnown {
		for old := range k.numbers { // any: it is known again with its next call
			delete(k.numbers, old)
			break
		}
	}
	k.numbers[number] = struct{}{}
}
