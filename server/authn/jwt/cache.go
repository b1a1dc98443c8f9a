package jwt

import (
	"crypto/sha256"
	"sync"
)

// maxCached bounds the tokens of a cache.
const maxCached = 10_000

// Cache remembers what was made of tokens that were verified: a signature takes longer to
// verify than all else that digate does for a call. It keeps no token. Many goroutines may
// use it. Who takes a value from it has to ask [Token.Holds].
type Cache[V any] struct {
	mu   sync.RWMutex
	kept map[[sha256.Size]byte]V
}

// Get returns what was kept for a token, and reports whether there is something.
func (c *Cache[V]) Get(token string) (V, bool) {
	digest := sha256.Sum256([]byte(token))
	c.mu.RLock()
	defer c.mu.RUnlock()
	v, ok := c.kept[digest]
	return v, ok
}

// Put keeps a value for a token. A cache that is full forgets any other, whose token is
// verified again with its next call.
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
