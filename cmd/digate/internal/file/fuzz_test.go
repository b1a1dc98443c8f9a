package file_test

import (
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/file"
)

// FuzzReadSecret reads any text: a secret that was in it, or an error that does not quote
// it.
func FuzzReadSecret(f *testing.F) {
	for _, s := range []string{"t", "t\r\n\n", "\ufefft", "", "\n", "\xff", "a\nb", strings.Repeat("x", file.MaxSecret+1)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		secret, err := file.ReadSecret("-", strings.NewReader(text))
		if err == nil && (secret == "" || !strings.Contains(text, secret) || strings.HasSuffix(secret, "\n") || len(secret) > file.MaxSecret) {
			t.Errorf("%q has the secret %q", text, secret)
		}
		if err != nil && len(text) > 20 && strings.Contains(err.Error(), text) {
			t.Errorf("the error quotes the text: %v", err)
		}
	})
}
