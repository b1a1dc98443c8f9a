package postgres_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/postgres"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
)

func TestCause_EveryWayToLoseADatabase_HasItsName(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	database := server.NewDatabase()
	probe := func(s *postgres.Store) error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return ledger.Probe(ctx, s)
	}
	check := func(what string, err error, want ledger.Cause) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: no error", what)
		} else if got := postgres.Cause(err); got != want {
			t.Errorf("%s: got %s, want %s: %v", what, got, want, err)
		}
	}
	s := open(t, database)
	if err := probe(s); err != nil {
		t.Fatal(err)
	}
	if found, err := s.List(t.Context(), ledger.Query{Limit: 1}); err != nil || len(found) != 0 {
		t.Errorf("a probe left %v, %v", found, err)
	}

	check("read-only", probe(open(t, database+"&default_transaction_read_only=on")), ledger.ReadOnly)

	server.Exec(database, `CREATE ROLE reader LOGIN PASSWORD 'r'; GRANT SELECT ON digate_ledger_record, digate_ledger_meta TO reader`)
	reader := withUser(t, database, "reader", "r")
	check("no right to write", probe(open(t, reader)), ledger.Auth)
	_, err := postgres.Open(t.Context(), withUser(t, database, "reader", "wrong"), postgres.Options{})
	check("a wrong password", err, ledger.Auth)

	server.Exec(database, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no space' USING ERRCODE = '53100'; END $$;
		CREATE TRIGGER full_disk BEFORE INSERT ON digate_ledger_record EXECUTE FUNCTION refuse()`)
	check("a full disk", probe(s), ledger.Full)
	server.Exec(database, `DROP TRIGGER full_disk ON digate_ledger_record; ALTER TABLE digate_ledger_record RENAME TO elsewhere`)
	check("no table", probe(s), ledger.Other)
	server.Exec(database, `ALTER TABLE elsewhere RENAME TO digate_ledger_record`)

	lock := connect(t, database)
	tx, err := lock.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `LOCK TABLE digate_ledger_record`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	check("a lock", ledger.Probe(ctx, s), ledger.Timeout)
	_ = tx.Rollback(t.Context())

	server.Kill()
	check("killed", probe(s), ledger.Unreachable)
	server.Restart()
}

// withUser returns a URL with another user.
func withUser(t *testing.T, text, user, password string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}
