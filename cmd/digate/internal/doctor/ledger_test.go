package doctor

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/backend"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
)

// ledgerOf runs doctor and returns its finding about the ledger.
func ledgerOf(t *testing.T, args ...string) finding {
	t.Helper()
	return examine(t, append([]string{"--upstream-url", "http://127.0.0.1:1"}, args...)...).checks["ledger"]
}

func check(t *testing.T, what string, got finding, result, found string) {
	t.Helper()
	if got.Result != result || !strings.Contains(got.Found, found) {
		t.Errorf("%s: got %s: %s, want %s: %s", what, got.Result, got.Found, result, found)
	}
}

// leaveDoubt opens a ledger as a server does, and leaves a call in doubt.
func leaveDoubt(t *testing.T, s ledger.Settings) {
	t.Helper()
	l, err := backend.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c := ledger.Claim{Key: ledger.Digest{1}, Token: ledger.Token{1}, Lease: time.Minute}
	if _, _, err := l.Claim(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := l.MarkSending(t.Context(), c.Key, c.Token, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := l.MarkUnknown(t.Context(), c.Key, c.Token); err != nil {
		t.Fatal(err)
	}
}

// Doctor says of a ledger what serve would die of, and leaves it as it is.
func TestDoctor_LedgerInAFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger.db")
	check(t, "memory", ledgerOf(t), resultOK, "in memory")
	check(t, "none", ledgerOf(t, "--ledger", "sqlite:"+path), resultOK, "there is none yet")
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("doctor left %v, %v", files, err)
	}
	check(t, "no folder", ledgerOf(t, "--ledger", "sqlite:"+filepath.Join(dir, "none", "ledger.db")), resultFail, "does not exist")
	s := ledger.Settings{Spec: "sqlite:" + path}
	leaveDoubt(t, s)
	got := ledgerOf(t, "--ledger", s.Spec)
	check(t, "a doubt", got, resultWarn, "its key fits, and it can be written; it has 0 calls done and 0 calls under way; 1 call in doubt")
	if !strings.Contains(got.Advice, "digate ledger list") {
		t.Errorf("%+v", got)
	}
	other := filepath.Join(t.TempDir(), "other.key")
	if _, err := ledger.CreateKey(other); err != nil {
		t.Fatal(err)
	}
	check(t, "another key", ledgerOf(t, "--ledger", s.Spec, "--ledger-key-file", other), resultFail, "another key")
	check(t, "no key file", ledgerOf(t, "--ledger", s.Spec, "--ledger-key-file", other+"x"), resultFail, "cannot be read")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	check(t, "the file is lost", ledgerOf(t, "--ledger", s.Spec), resultFail, "is missing, but its key file")
}

func TestDoctor_LedgerInPostgreSQL(t *testing.T) {
	server := pgtest.Start(t)
	key := filepath.Join(t.TempDir(), "key")
	if _, err := ledger.CreateKey(key); err != nil {
		t.Fatal(err)
	}
	at := func(url string) finding { return ledgerOf(t, "--ledger", url, "--ledger-key-file", key) }
	url := server.URL()
	check(t, "none", at(url), resultOK, "there is none yet, and serve can create it")
	check(t, "none, read-only", at(url+"&default_transaction_read_only=on"), resultFail, "SQLSTATE 25006")
	leaveDoubt(t, ledger.Settings{Spec: url, KeyFile: key})
	check(t, "a doubt", at(url), resultWarn, "1 call in doubt")
	check(t, "read-only", at(url+"&default_transaction_read_only=on"), resultFail, "not used (read_only)")
	server.Exec(url, `UPDATE digate_ledger_meta SET value = '2' WHERE name = 'schema'`)
	check(t, "older", at(url), resultWarn, "of an older digate")
	server.Exec(url, `UPDATE digate_ledger_meta SET value = '99' WHERE name = 'schema'`)
	check(t, "newer", at(url), resultFail, "of a newer digate")
	server.Kill()
	check(t, "away", at(url), resultFail, "the connection was refused")
	server.Restart()
}

func TestDoctor_ListenersThatCannotBeOpened(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	addr := taken.Addr().String()
	of := func(args ...string) finding {
		return examine(t, append([]string{"--upstream-url", "http://127.0.0.1:1"}, args...)...).checks["listeners"]
	}
	check(t, "free", of(), resultOK, "are free")
	check(t, "taken", of("--http-addr", addr), resultWarn, "in use: --http-addr "+addr)
	check(t, "no such address", of("--grpc-addr", "192.0.2.1:9090"), resultFail, "--grpc-addr 192.0.2.1:9090: ")
	_ = taken.Close()
	check(t, "twice", of("--grpc-addr", addr, "--admin-addr", addr), resultFail, fmt.Sprintf("--admin-addr %s is the port of --grpc-addr", addr))
}
