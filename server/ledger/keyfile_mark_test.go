package ledger_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/server/ledger"
)

func TestLoadKey_WrittenByAnEditor_IsTheSameKey(t *testing.T) {
	t.Parallel()
	digits := strings.Repeat("ab", ledger.KeySize)
	var want ledger.Digest
	for i, text := range []string{digits, "\ufeff" + digits, digits + "\r\n\r\n", "\ufeff" + digits + "\r\n"} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		keys, err := ledger.LoadKey(path)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := keys.Fingerprint([]byte("x"))
		if i == 0 {
			want = got
		}
		if got != want {
			t.Errorf("%q is another key", text)
		}
	}
}
