package ledger_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/server/ledger"
)

// FuzzParseSpec reads any --ledger: an engine with a location, or an error that does not
// quote it, since it may hold a password.
func FuzzParseSpec(f *testing.F) {
	for _, s := range []string{"memory", "sqlite:/x", "sqlite:", "sqlite::memory:", "postgres://u:s3cr3t@h/d", "postgresql://", "Postgres://u:s3cr3t@h", "memory ", "sqlite:a\x00"} {
		f.Add(s, "key")
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, text, keyFile string) {
		spec, err := ledger.ParseSpec(text, keyFile)
		if err == nil && (spec.Engine == nil || spec.Location != "" && !strings.HasSuffix(text, spec.Location)) {
			t.Errorf("%q is %+v", text, spec)
		}
		if _, secret, found := strings.Cut(text, "://"); err != nil && found && len(secret) > 4 && strings.Contains(err.Error(), secret) {
			t.Errorf("the error quotes %q: %v", text, err)
		}
	})
}

// FuzzLoadKey reads any key file: its keys, or an error that quotes nothing of it.
func FuzzLoadKey(f *testing.F) {
	whole := strings.Repeat("0a", ledger.KeySize)
	for _, s := range []string{whole, whole + "\n", "\ufeff " + whole + "\r\n", whole[1:], whole + whole, "", strings.Repeat("z", 64)} {
		f.Add([]byte(s))
	}
	path := filepath.Join(f.TempDir(), "key")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ledger.LoadKey(path)
		trimmed := strings.TrimSpace(strings.TrimPrefix(string(text), "\ufeff"))
		if err == nil && len(trimmed) != 2*ledger.KeySize && !strings.Contains(string(text), "\x00") {
			t.Errorf("%q is a key", text)
		}
		if err != nil && len(trimmed) > 40 && strings.Contains(err.Error(), trimmed) {
			t.Errorf("the error quotes the file: %v", err)
		}
	})
}
