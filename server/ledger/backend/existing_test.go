package backend_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/backend"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
)

// existing opens the ledger as an operator does.
func existing(t *testing.T, s ledger.Settings) error {
	t.Helper()
	l, err := backend.OpenExisting(t.Context(), s)
	if err == nil {
		t.Cleanup(func() { _ = l.Close() })
	}
	return err
}

func TestOpenExisting_SQLite_CreatesAndChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := ledger.Settings{Spec: "sqlite:" + filepath.Join(dir, "ledger.db")}
	if err := existing(t, s); err == nil || !strings.HasSuffix(err.Error(), "there is no ledger: there is no such file") {
		t.Errorf("no file: %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("it made %v, %v", files, err)
	}
	open(t, s)
	if err := existing(t, s); err != nil {
		t.Error(err)
	}
	other := filepath.Join(dir, "other.key")
	if _, err := ledger.CreateKey(other); err != nil {
		t.Fatal(err)
	}
	if err := existing(t, ledger.Settings{Spec: s.Spec, KeyFile: other}); !errors.Is(err, ledger.ErrKey) {
		t.Errorf("another key: %v", err)
	}
	empty := filepath.Join(dir, "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := existing(t, ledger.Settings{Spec: "sqlite:" + empty, KeyFile: other}); err == nil || !strings.Contains(err.Error(), "there is no ledger in the file") {
		t.Errorf("an empty file: %v", err)
	}
}

func TestOpenExisting_Memory_IsItsServersAlone(t *testing.T) {
	t.Parallel()
	if err := existing(t, ledger.Settings{Spec: "memory"}); err == nil || !strings.Contains(err.Error(), "that of its server alone") {
		t.Errorf("got %v", err)
	}
}

func TestOpenExisting_PostgreSQL_CreatesAndMigratesNothing(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	key := filepath.Join(t.TempDir(), "key")
	if _, err := ledger.CreateKey(key); err != nil {
		t.Fatal(err)
	}
	s := ledger.Settings{Spec: server.URL(), KeyFile: key}
	if err := existing(t, s); err == nil || !strings.Contains(err.Error(), "there is no ledger in the database") {
		t.Errorf("no ledger: %v", err)
	}
	open(t, s)
	if err := existing(t, s); err != nil {
		t.Error(err)
	}
	server.Exec(server.URL(), `UPDATE digate_ledger_meta SET value = '2' WHERE name = 'schema'`)
	if err := existing(t, s); err == nil || !strings.Contains(err.Error(), "of an older digate") {
		t.Errorf("an older schema: %v", err)
	}
}
