package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/sqlite"
)

func TestCause_FileIsRemoved_IsFileGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, sqlite.Options{})
	if err := ledger.Probe(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if found, err := s.List(t.Context(), ledger.Query{Limit: 1}); err != nil || len(found) != 0 {
		t.Errorf("a probe left %v, %v", found, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := sqlite.Cause(ledger.Probe(t.Context(), s)); got != ledger.FileGone {
		t.Errorf("got %s", got)
	}
}
