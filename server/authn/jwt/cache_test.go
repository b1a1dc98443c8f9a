package jwt

import (
	"strconv"
	"testing"
)

// Anybody who has an issuer sign many tokens must not fill the memory.
func TestCache_ManyTokens_KeepsABoundedNumber(t *testing.T) {
	t.Parallel()
	var c Cache[int]
	if _, ok := c.Get("a"); ok {
		t.Error("an empty cache has a token")
	}
	for i := range maxCached + 10 {
		c.Put(strconv.Itoa(i), i)
	}
	if len(c.kept) != maxCached {
		t.Errorf("%d tokens are kept", len(c.kept))
	}
	const last = maxCached + 9
	if v, ok := c.Get(strconv.Itoa(last)); !ok || v != last {
		t.Errorf("the last token: %d, %v", v, ok)
	}
}
