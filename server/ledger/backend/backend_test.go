package backend_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/backend"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
	"github.com/digate/digate/test/await"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestValidate_WrongSpec_NamesWhatIsWrong(t *testing.T) {
	for _, test := range []struct{ spec, keyFile, want string }{
		{"", "", "memory, sqlite:PATH or postgres://"},
		{"redis://u:S3cret@h", "", "memory, sqlite:PATH or postgres://"},
		{"postgre://u:S3cret@h/db", "k", "memory, sqlite:PATH or postgres://"},
		{"memory:", "", "memory, sqlite:PATH or postgres://"},
		{"sqlite:", "", "path of a file"},
		{"sqlite::memory:", "", "path of a file"},
		{"sqlite:a\x00b", "", "path of a file"},
		{"postgres://u:S3cret@h/db", "", "key file"},
		{"postgresql://u:S3cret@h/db", "", "key file"},
		{"postgres://u:S3cret@h/db?sslmode=x", "k", "sslmode"},
		{"postgres://u:S3/cret@h/db", "k", "cannot be read"},
	} {
		err := backend.Validate(ledger.Settings{Spec: test.spec, KeyFile: test.keyFile})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %q", test.spec, err, test.want)
		}
		if err != nil && (strings.Contains(err.Error(), "S3cret") || strings.Contains(err.Error(), "cret@")) {
			t.Errorf("%q: %v", test.spec, err)
		}
		if _, opened := backend.Open(t.Context(), ledger.Settings{Spec: test.spec, KeyFile: test.keyFile}); opened == nil || opened.Error() != "--ledger: "+err.Error() {
			t.Errorf("%q: Open says %v", test.spec, opened)
		}
	}
}

func TestValidate_RightSpec_IsTaken(t *testing.T) {
	for _, spec := range []string{"memory", "sqlite:ledger.db", "sqlite:/var/lib/digate/ledger.db", "postgres://u:p@h/db", "postgresql://u@h"} {
		if err := backend.Validate(ledger.Settings{Spec: spec, KeyFile: "key"}); err != nil {
			t.Errorf("%q: %v", spec, err)
		}
	}
}

func open(t *testing.T, s ledger.Settings) (ledger.Store, ledger.Keys) {
	t.Helper()
	store, err := backend.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store, store.Keys
}

// refused returns the error of an Open, which must fail.
func refused(t *testing.T, s ledger.Settings) error {
	t.Helper()
	store, err := backend.Open(t.Context(), s)
	if err == nil {
		_ = store.Close()
		t.Fatal("it opened")
	}
	return err
}

func writeKey(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if _, err := ledger.CreateKey(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen_Memory_HasItsOwnKeyOrTheFiles(t *testing.T) {
	_, a := open(t, ledger.Settings{Spec: "memory"})
	_, b := open(t, ledger.Settings{Spec: "memory"})
	if a.Check() == b.Check() {
		t.Error("two ledgers in memory have one key")
	}
	file := writeKey(t)
	_, c := open(t, ledger.Settings{Spec: "memory", KeyFile: file})
	_, d := open(t, ledger.Settings{Spec: "memory", KeyFile: file})
	if c.Check() != d.Check() {
		t.Error("the key file is not used")
	}
}

func TestOpen_SQLite_MakesAKeyOnceAndKeepsRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	spec := "sqlite:" + path
	store, keys := open(t, ledger.Settings{Spec: spec})
	c := ledger.Claim{Key: keys.Key("caller", "", "id"), ParentID: "t", Token: ledger.NewToken(), Lease: time.Hour}
	if _, mine, err := store.Claim(t.Context(), c); err != nil || !mine {
		t.Fatal(mine, err)
	}
	if info, err := os.Stat(path + ".key"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file: %v, %v", info, err)
	}
	again, keysAgain := open(t, ledger.Settings{Spec: spec})
	if _, found, err := again.Get(t.Context(), keysAgain.Key("caller", "", "id")); err != nil || !found {
		t.Errorf("opened again: found %v, error %v", found, err)
	}
}

func TestOpen_SQLiteWhoseKeyIsLostOrAnother_IsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	spec := "sqlite:" + path
	store, err := backend.Open(t.Context(), ledger.Settings{Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := refused(t, ledger.Settings{Spec: spec, KeyFile: writeKey(t)}); !errors.Is(err, ledger.ErrKey) || !strings.Contains(err.Error(), "name with --ledger-key-file") {
		t.Errorf("another key: got %v, want ErrKey", err)
	}
	if err := refused(t, ledger.Settings{Spec: spec, KeyFile: path + ".none"}); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "--ledger-key-file: ") {
		t.Errorf("a key file that is not there: %v", err)
	}
	first, err := os.ReadFile(path + ".key")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".key", []byte(strings.Repeat("0a", ledger.KeySize)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := refused(t, ledger.Settings{Spec: spec}); !errors.Is(err, ledger.ErrKey) || !strings.Contains(err.Error(), "--ledger: ") ||
		!strings.Contains(err.Error(), "put back the key file") {
		t.Errorf("another key beside it: %v", err)
	}
	// A refused key is not kept: the first one still opens the ledger.
	if err := os.WriteFile(path+".key", first, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := backend.Open(t.Context(), ledger.Settings{Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path + ".key"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := refused(t, ledger.Settings{Spec: spec}); !strings.Contains(err.Error(), ".key is missing") {
			t.Errorf("a lost key: %v", err)
		}
	}
}

func TestOpen_SQLiteWhoseFileIsLost_IsRefusedUntilTheKeyIsGoneToo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	spec := "sqlite:" + path
	store, err := backend.Open(t.Context(), ledger.Settings{Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := refused(t, ledger.Settings{Spec: spec}); !strings.Contains(err.Error(), "remove the key too") {
			t.Errorf("a lost file: %v", err)
		}
	}
	if err := os.Remove(path + ".key"); err != nil {
		t.Fatal(err)
	}
	if _, again := open(t, ledger.Settings{Spec: spec}); again.Check() == store.Keys.Check() {
		t.Error("the key is the old one")
	}
}

// A start that ends before the key is made leaves an empty file behind.
func TestOpen_SQLiteFirstStartCutOff_BeginsAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := backend.Open(t.Context(), ledger.Settings{Spec: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_SQLiteManyAtOnce_AllHaveOneKey(t *testing.T) {
	spec := "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			store, err := backend.Open(t.Context(), ledger.Settings{Spec: spec})
			if err != nil {
				return err
			}
			return store.Close()
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func TestOpen_Postgres_ReplicasShareKeyAndRecords(t *testing.T) {
	spec := pgtest.Start(t).URL()
	key := writeKey(t)
	store, keys := open(t, ledger.Settings{Spec: spec, KeyFile: key})
	c := ledger.Claim{Key: keys.Key("caller", "", "id"), ParentID: "t", Token: ledger.NewToken(), Lease: time.Hour}
	if _, mine, err := store.Claim(t.Context(), c); err != nil || !mine {
		t.Fatal(mine, err)
	}
	other, otherKeys := open(t, ledger.Settings{Spec: spec, KeyFile: key})
	if _, found, err := other.Get(t.Context(), otherKeys.Key("caller", "", "id")); err != nil || !found {
		t.Errorf("a second replica: found %v, error %v", found, err)
	}
	if err := refused(t, ledger.Settings{Spec: spec, KeyFile: writeKey(t)}); !errors.Is(err, ledger.ErrKey) {
		t.Errorf("a replica with another key: got %v, want ErrKey", err)
	}
}

// The promises of a ledger are facts of its engine, and every engine can be opened.
func TestOpen_EveryEngine_TellsWhetherItIsDurable(t *testing.T) {
	durable := map[string]bool{"memory": false, "sqlite": true, "postgres": true}
	for _, engine := range ledger.Engines {
		if want, known := durable[engine.Name]; !known || engine.Durable != want {
			t.Errorf("%s: durable %v, want %v", engine.Name, engine.Durable, want)
		}
		delete(durable, engine.Name)
	}
	if len(durable) != 0 {
		t.Errorf("no engine for %v", durable)
	}
	specs := map[*ledger.Engine]string{
		ledger.Memory: "memory", ledger.SQLite: "sqlite:" + filepath.Join(t.TempDir(), "ledger.db"), ledger.Postgres: pgtest.Start(t).URL(),
	}
	for _, engine := range ledger.Engines {
		l, err := backend.Open(t.Context(), ledger.Settings{Spec: specs[engine], KeyFile: writeKey(t)})
		if err != nil {
			t.Errorf("%s: %v", engine.Name, err)
			continue
		}
		if l.Engine != engine {
			t.Errorf("%s is opened as %s", engine.Name, l.Engine.Name)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpen_EveryEngine_ForgetsAfterTheRetention(t *testing.T) {
	for _, spec := range []string{"memory", "sqlite:" + filepath.Join(t.TempDir(), "ledger.db"), pgtest.Start(t).URL()} {
		engine, _, _ := strings.Cut(spec, ":")
		store, keys := open(t, ledger.Settings{Spec: spec, KeyFile: writeKey(t), Retention: time.Millisecond})
		c := ledger.Claim{Key: keys.Key("caller", "", "id"), ParentID: "t", Token: ledger.NewToken(), Lease: time.Hour}
		_, mine, err := store.Claim(t.Context(), c)
		if err := errors.Join(err, store.MarkSending(t.Context(), c.Key, c.Token, time.Hour), store.MarkDone(t.Context(), c.Key, c.Token, "i")); err != nil || !mine {
			t.Fatalf("%s: %v, mine %v", engine, err, mine)
		}
		if err := await.Poll(await.Patience, nil, func() error {
			_, found, err := store.Get(t.Context(), c.Key)
			if err == nil && found {
				err = errors.New("the record is still there")
			}
			return err
		}); err != nil {
			t.Fatalf("%s: %v", engine, err)
		}
	}
}

func TestOpen_Memory_HasTheBoundOfTheSettings(t *testing.T) {
	store, keys := open(t, ledger.Settings{Spec: "memory", MemoryRecords: 1})
	for id, want := range []error{nil, ledger.ErrFull} {
		c := ledger.Claim{Key: keys.Key("caller", "", strconv.Itoa(id)), ParentID: "t", Token: ledger.NewToken(), Lease: time.Hour}
		if _, _, err := store.Claim(t.Context(), c); !errors.Is(err, want) {
			t.Errorf("claim %d: %v, want %v", id, err, want)
		}
	}
}
