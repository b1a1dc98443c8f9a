package prefer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/server/prefer"
)

// FuzzWait reads any header: there is a time within the bounds, or none.
func FuzzWait(f *testing.F) {
	for _, s := range []string{"wait=5", "respond-async, wait=10", `Wait = "7" ; x=y`, "wait", "wait=99999999999999999999", "handling=lenient;wait=3,wait=2", ",,=;", "wait=-1"} {
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		d, ok := prefer.Wait([]string{first, second})
		if d < 0 || d > prefer.MaxSeconds*time.Second || d%time.Second != 0 || !ok && d != 0 {
			t.Errorf("%q, %q: %v, %v", first, second, d, ok)
		}
		if ok && !strings.Contains(strings.ToLower(first+second), "wait") {
			t.Errorf("%q, %q name no wait, got %v", first, second, d)
		}
	})
}
