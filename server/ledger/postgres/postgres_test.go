package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/ledgertest"
	"github.com/digate/digate/server/ledger/postgres"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, postgres.Options{Retention: time.Hour})
	return ledgertest.Opened(t, s, err)
}

func TestStore_Contract(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	ledgertest.Run(t, func(t *testing.T) ledgertest.Harness {
		url := server.NewDatabase()
		return ledgertest.Harness{
			Open:      func(t testing.TB) ledger.Store { return open(t, url) },
			Retention: time.Hour,
			Advance:   advance(server, url),
			Break:     func(testing.TB) { server.Kill() },
			Mend:      func(testing.TB) { server.Restart() },
		}
	})
}

// advance moves the records of a database instead of its clock, which cannot be moved.
func advance(server *pgtest.Server, url string) func(testing.TB, time.Duration) {
	return func(_ testing.TB, d time.Duration) {
		server.Exec(url, fmt.Sprintf(`UPDATE digate_ledger_record SET
			claimed_at = claimed_at - %[1]d * interval '1 microsecond', until = until - %[1]d * interval '1 microsecond',
			lapsed_at = lapsed_at - %[1]d * interval '1 microsecond'`, d.Microseconds()))
	}
}

func TestOpen_ManyReplicasAtOnce_AllSucceed(t *testing.T) {
	url := pgtest.Start(t).URL()
	ledgertest.OpenAtOnce(t, func() (*postgres.Store, error) { return postgres.Open(t.Context(), url, postgres.Options{}) })
}

func TestOpen_RoleThatMayNotCreate_IsEnoughOnceMigrated(t *testing.T) {
	server := pgtest.Start(t)
	open(t, server.URL())
	server.Exec(server.URL(), `CREATE ROLE replica LOGIN PASSWORD 'r';
		REVOKE CREATE ON SCHEMA public FROM PUBLIC;
		GRANT SELECT, INSERT, UPDATE, DELETE ON digate_ledger_record, digate_ledger_meta TO replica`)
	s := open(t, "postgres://replica:r@127.0.0.1:"+port(t, server)+"/postgres?sslmode=disable")
	if err := s.KeyCheck(t.Context(), ledger.Digest{1}); err != nil {
		t.Error(err)
	}
	c := ledger.Claim{Key: ledger.Digest{1}, ParentID: "t", Token: ledger.NewToken(), Lease: time.Minute}
	if _, mine, err := s.Claim(t.Context(), c); err != nil || !mine {
		t.Errorf("mine %v, error %v", mine, err)
	}
	if _, err := s.Sweep(t.Context(), 1); err != nil {
		t.Error(err)
	}
}

// A doubt that an older digate left is taken as if its lease had run out now.
func TestOpen_OlderSchema_IsBroughtUpToDate(t *testing.T) {
	server := pgtest.Start(t)
	older := open(t, server.URL())
	c := claimOf(1)
	_, _, err := older.Claim(t.Context(), c)
	if err := errors.Join(err, older.MarkSending(t.Context(), c.Key, c.Token, time.Hour), older.MarkUnknown(t.Context(), c.Key, c.Token)); err != nil {
		t.Fatal(err)
	}
	server.Exec(server.URL(), `ALTER TABLE digate_ledger_record DROP COLUMN lapsed_at; DROP INDEX digate_ledger_record_open;
		ALTER TABLE digate_ledger_record DROP COLUMN method;
		UPDATE digate_ledger_meta SET value = '1' WHERE name = 'schema'`)
	r, found, err := open(t, server.URL()).Get(t.Context(), c.Key)
	if err != nil || !found || r.LapsedFor <= 0 || r.LapsedFor > time.Minute {
		t.Errorf("found %v, error %v, lapsed for %v", found, err, r.LapsedFor)
	}
}

// A replica of an older digate that runs already works with the newer schema: its
// records lack what that added.
func TestGet_RecordOfAnOlderReplica_IsRead(t *testing.T) {
	server := pgtest.Start(t)
	s := open(t, server.URL())
	server.Exec(server.URL(), `INSERT INTO digate_ledger_record (key, fingerprint, template_id, state, token, claimed_at, until)
		VALUES (decode(repeat('07', 32), 'hex'), decode(repeat('08', 32), 'hex'), 't', 'claimed', decode(repeat('09', 16), 'hex'), now(), now() + interval '1 hour')`)
	key := ledger.Digest(bytes.Repeat([]byte{7}, 32))
	r, found, err := s.Get(t.Context(), key)
	if err != nil || !found || r.ParentID != "t" || r.Method != "" || r.State != ledger.Claimed {
		t.Errorf("%+v, found %v, %v", r, found, err)
	}
	if err := s.MarkSending(t.Context(), key, ledger.Token(bytes.Repeat([]byte{9}, 16)), time.Minute); err != nil {
		t.Error(err)
	}
}

func TestOpen_NewerSchema_IsRefused(t *testing.T) {
	server := pgtest.Start(t)
	open(t, server.URL())
	server.Exec(server.URL(), `UPDATE digate_ledger_meta SET value = '1000' WHERE name = 'schema'`)
	s, err := postgres.Open(t.Context(), server.URL(), postgres.Options{})
	if err == nil {
		_ = s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "newer digate") {
		t.Errorf("got %v", err)
	}
}

func TestOpen_TLSAndPoolThroughURL_AreUsed(t *testing.T) {
	server := pgtest.Start(t)
	s := open(t, server.TLSURL()+"&pool_max_conns=3&application_name=a-ledger")
	var group errgroup.Group
	for i := range 32 {
		group.Go(func() error {
			_, _, err := s.Get(t.Context(), ledger.Digest{byte(i)})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, server.URL())
	var all, encrypted int
	if err := conn.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE ssl)
		FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE application_name = 'a-ledger'`).Scan(&all, &encrypted); err != nil {
		t.Fatal(err)
	}
	if all < 1 || all > 3 || encrypted != all {
		t.Errorf("%d connections, %d with TLS; want 1 to 3, all with TLS", all, encrypted)
	}
	// A server with the certificate of another one is not trusted.
	other := pgtest.Start(t)
	if s, err := postgres.Open(t.Context(), strings.Replace(server.TLSURL(), port(t, server), port(t, other), 1), postgres.Options{}); err == nil {
		_ = s.Close()
		t.Error("a server with another certificate was trusted")
	}
}

// The clocks and time zones of the replicas do not matter.
func TestStore_ReplicaInAnotherTimeZone_SeesTheSame(t *testing.T) {
	server := pgtest.Start(t)
	a, b := open(t, server.URL()), open(t, server.URL()+"&timezone=Pacific/Kiritimati")
	c := ledger.Claim{Key: ledger.Digest{1}, ParentID: "t", Token: ledger.NewToken(), Lease: time.Minute}
	first, mine, err := a.Claim(t.Context(), c)
	if err != nil || !mine {
		t.Fatal(mine, err)
	}
	rival := c
	rival.Token = ledger.NewToken()
	seen, mine, err := b.Claim(t.Context(), rival)
	if err != nil || mine || !seen.ClaimedAt.Equal(first.ClaimedAt) {
		t.Errorf("mine %v, error %v, claimed at %v; want at %v", mine, err, seen.ClaimedAt, first.ClaimedAt)
	}
	var off float64
	if err := connect(t, server.URL()).QueryRow(t.Context(),
		`SELECT extract(epoch FROM until - claimed_at) FROM digate_ledger_record`).Scan(&off); err != nil || off < 60 || off > 60.5 {
		t.Errorf("the lease is %v seconds, error %v; want a minute by the database's clock", off, err)
	}
}

func TestStore_AtRest_HasNoSecret(t *testing.T) {
	server := pgtest.Start(t)
	find := ledgertest.UseSecrets(t, open(t, server.URL()))
	dump := dumpTables(t, server.URL())
	for _, found := range find(dump) {
		t.Error(found)
	}
	if !strings.Contains(string(dump), "template-1") {
		t.Error("the dump is not that of the records")
	}
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// dumpTables returns the content of all tables but the catalogue's: bytes as they
// are, everything else as text.
func dumpTables(t *testing.T, url string) []byte {
	t.Helper()
	conn := connect(t, url)
	// A failed query returns its error with its rows.
	tables, _ := conn.Query(t.Context(), `SELECT quote_ident(table_schema) || '.' || quote_ident(table_name)
		FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')`)
	names, err := pgx.CollectRows(tables, pgx.RowTo[string])
	if err != nil || len(names) < 2 {
		t.Fatal(names, err)
	}
	var dump strings.Builder
	for _, name := range names {
		rows, err := conn.Query(t.Context(), `SELECT * FROM `+name)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				if b, ok := v.([]byte); ok {
					dump.Write(b)
				} else {
					fmt.Fprint(&dump, v)
				}
				dump.WriteByte('\n')
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return []byte(dump.String())
}

// port returns the server's port.
func port(t testing.TB, s *pgtest.Server) string {
	t.Helper()
	config, err := pgx.ParseConfig(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatUint(uint64(config.Port), 10)
}

func BenchmarkStore(b *testing.B) {
	server := pgtest.Start(b, "fsync=on", "full_page_writes=on")
	ledgertest.Benchmark(b, open(b, server.URL()))
}

func BenchmarkStore_MoreConnections(b *testing.B) {
	server := pgtest.Start(b, "fsync=on", "full_page_writes=on")
	ledgertest.Benchmark(b, open(b, server.URL()+"&pool_max_conns=32"))
}
