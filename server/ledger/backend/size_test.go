package backend_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/backend"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
)

// The sizes that docs/ledger.md has of a record, in bytes, with its indexes.
const (
	sqliteRecord   = 340
	postgresRecord = 410
	postgresInUse  = 1500 // at most, with the versions that a vacuum will remove
)

// fill makes records as copies make them.
func fill(t *testing.T, s ledger.Store, n int) {
	t.Helper()
	for range n {
		c := ledger.Claim{
			Key: ledger.NewDigest(), Fingerprint: ledger.NewDigest(), Token: ledger.NewToken(), ParentID: uuid.NewString(), Method: "CopyTemplate", Lease: time.Minute,
		}
		_, _, err := s.Claim(t.Context(), c)
		if err == nil {
			err = s.MarkSending(t.Context(), c.Key, c.Token, time.Minute)
		}
		if err == nil {
			err = s.MarkDone(t.Context(), c.Key, c.Token, uuid.NewString())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecord_Size_IsAsThePageSays(t *testing.T) {
	t.Parallel()
	const n = 3000
	path := filepath.Join(t.TempDir(), "ledger.db")
	s, _ := open(t, ledger.Settings{Spec: "sqlite:" + path})
	fill(t, s, n)
	copied := filepath.Join(t.TempDir(), "copy.db") // without room for changes
	if err := backend.Backup(t.Context(), ledger.Settings{Spec: "sqlite:" + path}, copied); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(copied)
	if err != nil {
		t.Fatal(err)
	}
	about := func(what string, size, want int64) {
		t.Helper()
		if size < want*8/10 || size > want*12/10 {
			t.Errorf("%s: %d bytes a record, and the page says %d", what, size, want)
		}
	}
	about("sqlite", info.Size()/n, sqliteRecord)
	server := pgtest.Start(t)
	key := filepath.Join(t.TempDir(), "key")
	if _, err := ledger.CreateKey(key); err != nil {
		t.Fatal(err)
	}
	p, _ := open(t, ledger.Settings{Spec: server.URL(), KeyFile: key})
	fill(t, p, n)
	conn, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	size := func() (bytes int64) {
		if err := conn.QueryRow(t.Context(), "SELECT pg_total_relation_size('digate_ledger_record')").Scan(&bytes); err != nil {
			t.Fatal(err)
		}
		return bytes / n
	}
	if used := size(); used > postgresInUse {
		t.Errorf("postgres: %d bytes a record in use, and the page says %d", used, postgresInUse)
	} else {
		t.Logf("postgres: %d bytes a record in use", used)
	}
	if _, err := conn.Exec(t.Context(), "VACUUM FULL digate_ledger_record"); err != nil {
		t.Fatal(err)
	}
	about("postgres", size(), postgresRecord)
	page, err := os.ReadFile("../../../docs/ledger.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{sqliteRecord, postgresRecord, postgresInUse} {
		if text := fmt.Sprintf("%d bytes", n); !strings.Contains(strings.ReplaceAll(string(page), ",", ""), text) {
			t.Errorf("the page lacks %s", text)
		}
	}
}
