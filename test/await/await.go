// Package await lets a test wait for another goroutine or another process, and fail
// instead of hang.
package await

import (
	"testing"
	"time"
)

// Patience bounds what a test waits for. Only a test of broken code waits so long.
const Patience = 20 * time.Second

// Value returns the next value of the channel, or the zero value once the channel
// is closed. It fails the test after [Patience], with the name of what it waited for.
func Value[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(Patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}
