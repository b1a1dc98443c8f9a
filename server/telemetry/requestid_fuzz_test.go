package telemetry

import (
	"encoding/json"
	"testing"
)

// FuzzRequestID reads any X-Request-Id: the id of the call is plain, and the caller's own
// where that is.
func FuzzRequestID(f *testing.F) {
	for _, s := range []string{"", "a-1_B.c", "a b", "\n", "é", "01234567890123456789012345678901234567890123456789012345678901234"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		id := requestID([]string{value})
		quoted, _ := json.Marshal(id)
		if !plainID(id) || string(quoted) != `"`+id+`"` || plainID(value) && id != value {
			t.Errorf("%q became %q", value, id)
		}
		if two := requestID([]string{value, value}); two == value {
			t.Errorf("%q twice became %q", value, two)
		}
	})
}
