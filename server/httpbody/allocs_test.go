//go:build !race

package httpbody_test

import (
	"runtime/debug"
	"strings"
	"testing"

	"github.com/digate/digate/server/httpbody"
)

// A large body takes memory once: what it is read into serves other bodies.
func TestAllocations_LargeBody_TakesItsOwnMemoryAlone(t *testing.T) {
	const length = 1 << 20
	text := strings.Repeat("x", length)
	var r strings.Reader
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection ends what is kept for others
	if got := testing.AllocsPerRun(20, func() {
		r.Reset(text)
		if body, err := httpbody.Read(&r, length); len(body) != length || err != nil {
			t.Error(len(body), err)
		}
	}); got > 1 {
		t.Errorf("%v allocations, want 1 at most", got)
	}
}
