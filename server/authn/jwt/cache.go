package jwt

import (
	"crypto/sha256"
	"sync"
)

// maxCached is the maximum number of tokens in a cache.
const maxCached = 10_000

// Cache stores a value for each verified token, because verifying a signature takes
// longer than the rest of a call's work in digate. It does not store the tokens. It is
// safe for concurrent use. Users of a cached value must check [Token.Holds].
type Cache[V any] struct {
	mu   sync.RWMutex
	kept map[[sha256.Size]byte]V
}

// Get returns the value for a token, and reports whether there is one.
func (c *Cache[V]) Get(token string) (V, bool) {
	digest := sha256.Sum256([]byte(token))
	c.mu.RLock()
	defer c.mu.RUnlock()
	v, ok := c.kept[digest]
	return v, ok
}

// Put stores a value for a token. If the cache is full, it removes an arbitrary other
// token, which is verified again in its next call.
func (c *Cache[V]) Put(token string, v V) {
	digest := sha256.Sum256([]byte(token))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = make(map[[sha256.Size]byte]V)
	}
	if len(c.kept) >= maxCached {
		for old := range c.kept {
			delete(c.kept, old)
			break
		}
	}
	c.kept[digest] = v
}
