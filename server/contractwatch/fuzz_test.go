package contractwatch_test

import (
	"testing"

	"github.com/digate/digate/server/contractwatch"
)

// FuzzParseURL reads any URL of a document: one that can be fetched and holds no
// password, or an error.
func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"https://api.diga.io/openapi.json", "http://u:p@h/x", "ftp://h", "https://", "//h", "http://[::1]:1/?q#f", "%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := contractwatch.ParseURL(text)
		if err == nil && (u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https") || err != nil && u != nil {
			t.Errorf("%q is %v, %v", text, u, err)
		}
	})
}
