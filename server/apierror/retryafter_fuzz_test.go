package apierror

import (
	"net/http"
	"testing"
)

// FuzzRetryAfter reads any header: the wait is one that a client can take.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "7", "-1", "+3", "86401", "99999999999999999999", " 3 ", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "Wednesday, 21-Oct-26 07:28:30 GMT", "Wed Oct 21 07:28:00 2026", "Thu, 01 Jan 1600 00:00:00 GMT"} {
		f.Add(s, "Wed, 21 Oct 2026 07:27:30 GMT")
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, value, date string) {
		h := http.Header{"Retry-After": {value}, "Date": {date}}
		if wait, _ := retryAfter(h); wait < 0 || wait > maxRetryAfter {
			t.Errorf("%q at %q: wait %v", value, date, wait)
		}
	})
}
