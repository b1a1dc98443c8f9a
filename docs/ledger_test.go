package docs

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
)

// The commands of the page about ledgers run in order, with a PostgreSQL and folders
// of their own.
func TestLedgerPage_Commands_RunAsThePageSays(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "openssl", "psql", "pg_dump", "pg_restore", "sqlite3"} {
		need.Program(t, program)
	}
	server := pgtest.Start(t)
	at, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	s := newShell(t)
	there := strings.NewReplacer("db.internal", at.Host, "/var/lib/digate", filepath.Join(root, "lib"), "/etc/digate", filepath.Join(root, "etc"), "/backup", filepath.Join(root, "backup"))
	for _, dir := range []string{"lib", "etc", "backup"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	password, _ := at.User.Password()
	// The ledger of a server, with a record, and a Diga for doctor.
	if out, failed := s.run(t, "export PGHOST="+at.Hostname()+" PGPORT="+at.Port()+" PGUSER="+at.User.Username()+" PGDATABASE=postgres PGPASSWORD="+password+" PGSSLMODE=disable DIGATE_TOKEN=dev DIGATE_UPSTREAM_URL=http://127.0.0.1:8090\n"+
		"digate ledger migrate --ledger sqlite:"+filepath.Join(root, "lib", "ledger.db")); failed {
		t.Fatal(out)
	}
	ran := 0
	for _, b := range read(t, "docs/ledger.md").blocks {
		if b.language != "sh" && b.language != "console" {
			t.Errorf("line %d: a block that is not run", b.line)
			continue
		}
		ran++
		b.text = there.Replace(b.text)
		if b.language == "sh" {
			if out, failed := s.run(t, "(\nset -e -o pipefail\n"+b.text+")"); failed {
				t.Fatalf("line %d failed:\n%s\n%s", b.line, b.text, out)
			}
			continue
		}
		for _, step := range steps(t, b) {
			if out, _ := s.run(t, step.command); !step.expects(out) {
				t.Fatalf("line %d: $ %s\nprinted\n%s\nand the page has\n%s", b.line, step.command, out, step.output)
			}
		}
	}
	if ran < 8 {
		t.Errorf("the page has only %d blocks", ran)
	}
	// What was undone at last can be done again.
	for _, spec := range []string{"sqlite:" + filepath.Join(root, "lib", "ledger.db"), "'postgres://digate_owner:owner-password@" + at.Host + "/digate' --ledger-key-file " + filepath.Join(root, "etc", "ledger.key")} {
		if out, failed := s.run(t, "digate ledger migrate --ledger "+spec); failed {
			t.Errorf("%s: %s", spec, out)
		}
	}
}
