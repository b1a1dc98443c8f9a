package postgres_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/postgres"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
)

func TestCheckURL_WrongURL_IsRefusedWithoutItsPassword(t *testing.T) {
	const secret = "Geheim"
	for _, url := range []string{
		"",
		"mysql://u:Geheim@h/db",
		"postgres:u:Geheim@h/db",
		"u:Geheim@h/db",
		"postgres://u:Geheim@h:port/db",
		"postgres://u:Geheim@h:99999999/db",
		"postgres://u:Geheim@h:Geheim/db",
		"postgres://u:Gehe/im@h/db",
		"postgres://u:12/Geheim@h/db",
		"postgres://u:12?Geheim@h/db",
		"postgres://u:12#Geheim@h/db",
		"postgres://u:Geheim%zz@h/db",
		"postgres://u:Geheim",
		"postgres://u:Geheim@h/db#x",
		"postgres://u:%47eheim@h/db?sslmode=Geheim",
		"postgres://h/db?password=Geheim&sslmode=wrong",
		"postgres://h/db?password=Geheim%zz",
		"postgres://u:Geheim@h/db?sslmode=wrong",
		"postgres://u:Geheim@h/db?connect_timeout=soon",
		"postgres://u:Geheim@h/db?pool_max_conns=many",
		"postgres://u:Geheim@h/db?sslmode=verify-full&sslrootcert=/missing",
		"postgres://u:Geheim@[::1/db",
		"postgres://u:Geheim @h:x/db",
		"postgres://u:Geheim\x00@h:x/db",
	} {
		err := postgres.CheckURL(url)
		if err == nil {
			t.Errorf("%q is not refused", url)
			continue
		}
		for _, part := range []string{secret, "Gehe", "eheim", "im@"} {
			if strings.Contains(err.Error(), part) {
				t.Errorf("%q: %v", url, err)
			}
		}
	}
}

func TestCheckURL_RightURL_IsTaken(t *testing.T) {
	for _, url := range []string{
		"postgres://u:p@h/db",
		"postgresql://u:p@h:5433/db?sslmode=verify-full",
		"postgres://u:p%40ss%2Fword@h/db?pool_max_conns=20&application_name=digate",
		"postgres://u:p@h1:5432,h2:5433/db?target_session_attrs=read-write",
		"postgres:///db?host=/run/postgresql",
		"postgres://h",
	} {
		if err := postgres.CheckURL(url); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestCheckURL_WrongOption_IsNamed(t *testing.T) {
	for option, want := range map[string]string{"sslmode=wrong": "sslmode", "pool_max_conns=many": "pool_max_conns", "connect_timeout=soon": "connect_timeout"} {
		if err := postgres.CheckURL("postgres://u:p4ssw0rd@h/db?" + option); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", option, err)
		}
	}
}

func TestOpen_Failure_NamesHostAndDatabaseAndNoSecret(t *testing.T) {
	server := pgtest.Start(t)
	const secret, user = "not-the-passw0rd", "some-body"
	wants := map[string][]string{
		"wrong password": {"login was refused", "127.0.0.1:", `"records"`, "pg_hba.conf"},
		"no database":    {"no such database", "127.0.0.1:", `"missing"`, "create the database"},
		"no server":      {": the connection was refused; check host and port", "127.0.0.1:1", `"records"`, "firewall"},
		"no host":        {"nowhere.invalid:5432: the host name does not resolve; check host", `"records"`},
		"no reply":       {"127.0.0.1:", `"records"`, ": no reply in time; check host", "firewall", "sslmode"},
	}
	at := "127.0.0.1:" + port(t, server)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never responds
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for what, url := range map[string]string{
		"wrong password": "postgres://" + user + ":" + secret + "@" + at + "/records",
		"no database":    strings.Replace(server.URL(), "/postgres?", "/missing?", 1),
		"no server":      "postgres://" + user + ":" + secret + "@127.0.0.1:1/records?connect_timeout=5",
		"no host":        "postgres://" + user + ":" + secret + "@nowhere.invalid/records?connect_timeout=5",
		"no reply":       "postgres://" + user + ":" + secret + "@" + silent.Addr().String() + "/records?connect_timeout=1",
	} {
		begun := time.Now()
		s, err := postgres.Open(t.Context(), url, postgres.Options{})
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: it opened", what)
		} else if text := err.Error(); strings.Contains(text, secret) || strings.Contains(text, user) {
			t.Errorf("%s: %v", what, err)
		} else {
			for _, part := range wants[what] {
				if !strings.Contains(text, part) {
					t.Errorf("%s: %q is not in %v", what, part, err)
				}
			}
			if n := strings.Count(text, "postgres:") + strings.Count(text, "ledger"); n != 0 {
				t.Errorf("%s: a prefix in %v", what, err)
			}
		}
		if d := time.Since(begun); d > 20*time.Second {
			t.Errorf("%s: it took %v", what, d)
		}
	}
}

// The log of a lost ledger has this text: one line, which says where and what, and no
// user.
func TestStore_ConnectionFails_ErrorIsThatOfOpening(t *testing.T) {
	server := pgtest.Start(t)
	server.Exec(server.URL(), `CREATE ROLE somebody LOGIN SUPERUSER PASSWORD 'secret'`)
	s := open(t, "postgres://somebody:secret@127.0.0.1:"+port(t, server)+"/postgres")
	fails := func(what string) {
		t.Helper()
		_, _, err := s.Get(t.Context(), ledger.Digest{}) // on a connection that broke
		if err == nil || strings.Contains(err.Error(), "somebody") || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v", err)
		}
		_, _, err = s.Get(t.Context(), ledger.Digest{})
		want := `cannot open database "postgres" of PostgreSQL at 127.0.0.1:` + port(t, server) + ": " + what
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	server.Exec(server.URL(), `ALTER ROLE somebody PASSWORD 'another'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'somebody'`)
	fails("the login was refused (SQLSTATE 28P01); check user, password and pg_hba.conf")
	server.Exec(server.URL(), `ALTER ROLE somebody PASSWORD 'secret' NOSUPERUSER CONNECTION LIMIT 0`)
	fails("the server has no free connection (SQLSTATE 53300); raise its max_connections, or lower pool_max_conns in the URL")
	server.Kill()
	fails("the connection was refused; check host and port")
}

// The password need not be in the URL: every user of a machine can read its command
// lines.
func TestOpen_PasswordOutsideTheURL_IsFound(t *testing.T) {
	server := pgtest.Start(t)
	server.Exec(server.URL(), `CREATE ROLE apart LOGIN SUPERUSER PASSWORD 'else where'`)
	file := filepath.Join(t.TempDir(), "passfile")
	if err := os.WriteFile(file, []byte("127.0.0.1:"+port(t, server)+":postgres:apart:else where\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := "postgres://apart@127.0.0.1:" + port(t, server) + "/postgres?sslmode=disable"
	t.Setenv("PGPASSFILE", filepath.Join(t.TempDir(), "none"))
	if s, err := postgres.Open(t.Context(), url, postgres.Options{}); err == nil {
		_ = s.Close()
		t.Fatal("it opened without a password")
	}
	t.Run("passfile in the URL", func(t *testing.T) { open(t, url+"&passfile="+file) })
	t.Run("PGPASSFILE", func(t *testing.T) {
		t.Setenv("PGPASSFILE", file)
		open(t, url)
	})
	t.Run("PGPASSWORD", func(t *testing.T) {
		t.Setenv("PGPASSWORD", "else where")
		open(t, url)
	})
}
