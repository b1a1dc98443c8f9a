package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger/ledgertest"
	"github.com/digate/digate/server/ledger/sqlite"
	"github.com/digate/digate/test/await"
)

func TestOpen_NewFile_IsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	ledgertest.UseSecrets(t, open(t, path, sqlite.Options{}))
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has the mode %o", filepath.Base(name), got)
		}
	}
}

func TestStore_AtRest_HasNoSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	find := ledgertest.UseSecrets(t, s)
	check := func(when string) {
		files, err := filepath.Glob(path + "*")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		// By another process: to close the file in this one would release its locks.
		all, err := exec.CommandContext(t.Context(), "cat", files...).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range find(all) {
			t.Errorf("%s: %s", when, found)
		}
		if !bytes.Contains(all, []byte("template-1")) {
			t.Errorf("%s: the dump is not that of the records", when)
		}
	}
	check("while open")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check("once closed")
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("closed, and the log is still there: %v", err)
	}
}

func TestOpen_PathWithSpecialCharacters_IsThatFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a b.db", "a?mode=memory", "a#b", "a%20b", "ü.db", "a&b=c"} {
		open(t, filepath.Join(dir, name), sqlite.Options{})
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%q: %v", name, err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.Contains(f.Name(), "_pragma") {
			t.Errorf("a file %q came about", f.Name())
		}
	}
}

func TestOpen_RelativePath_IsThatFile(t *testing.T) {
	t.Chdir(t.TempDir())
	open(t, "ledger.db", sqlite.Options{})
	if _, err := os.Stat("ledger.db"); err != nil {
		t.Error(err)
	}
}

func TestOpen_LinkToAFile_IsThatFile(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file.db"), filepath.Join(dir, "link.db")
	open(t, file, sqlite.Options{})
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if _, mine, err := open(t, link, sqlite.Options{}).Claim(t.Context(), claimOf(1, 1)); err != nil || !mine {
		t.Fatal(mine, err)
	}
	if _, found, err := open(t, file, sqlite.Options{}).Get(t.Context(), claimOf(1, 1).Key); err != nil || !found {
		t.Errorf("found %v, error %v", found, err)
	}
}

func TestOpen_ManyAtOnce_AllSucceed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	ledgertest.OpenAtOnce(t, func() (*sqlite.Store, error) { return sqlite.Open(t.Context(), path, sqlite.Options{}) })
}

// Another process that keeps the lock holds nothing up for longer than the lock is
// waited for, not even what has no deadline.
func TestStore_LockKeptByAnother_ChangesAndOpensFailAfterTheWait(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, sqlite.Options{})
	unlock := lockFile(t, path)
	defer unlock()
	var group sync.WaitGroup
	for what, do := range map[string]func(context.Context) error{
		"Claim": func(ctx context.Context) error { _, _, err := s.Claim(ctx, claimOf(1, 1)); return err },
		"Open":  func(ctx context.Context) error { _, err := sqlite.Open(ctx, path, sqlite.Options{}); return err },
	} {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), await.Patience)
			defer cancel()
			begun := time.Now()
			err := do(ctx)
			if took := time.Since(begun); err == nil || took < 4*time.Second || took > 15*time.Second {
				t.Errorf("%s: got %v after %v, want an error after 5 s", what, err, took)
			}
		})
	}
	group.Wait()
}

func TestOpen_WrongFile_SaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	execute := func(name string, statements ...string) string {
		path := filepath.Join(dir, name)
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range statements {
			if _, err := db.Exec(s); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer")
	s, err := sqlite.Open(t.Context(), newer, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	execute("newer", "PRAGMA user_version = 1000")
	for _, test := range []struct{ name, path, want string }{
		{"no directory", filepath.Join(dir, "missing", "x.db"), "the directory " + filepath.Join(dir, "missing") + " does not exist; create it"},
		{"a directory", dir, "it is a directory; name a file in it"},
		{"a text", text, "it is not a database; name another file"},
		{"another database", execute("other", "CREATE TABLE t (x)"), "not a ledger"},
		{"another application's", execute("app", "PRAGMA application_id = 7"), "not a ledger"},
		{"a newer schema", newer, "newer digate"},
	} {
		s, err := sqlite.Open(t.Context(), test.path, sqlite.Options{})
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "cannot open the SQLite file "+test.path) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}

// Open waits for a locked file no longer than its deadline.
func TestOpen_LockedFile_FailsInTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	open(t, path, sqlite.Options{})
	unlock := lockFile(t, path)
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	s, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err == nil {
		_ = s.Close()
		t.Error("it opened")
	} else if !strings.Contains(err.Error(), "end the program that has locked it") {
		t.Error(err)
	}
	if d := time.Since(begun); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}

// A change whose caller gave up while the file was locked is not made once the lock
// is gone.
func TestStore_CallThatGaveUpOnLock_IsNotMadeLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, sqlite.Options{})
	c, next := claimOf(1, 1), claimOf(1, 2)
	unlock := lockFile(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := s.Claim(ctx, c); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the deadline is exceeded", err)
	}
	unlock()
	// Changes are made in turn: after the next one the first can no longer be made.
	if _, mine, err := s.Claim(t.Context(), next); err != nil || !mine {
		t.Fatal(mine, err)
	}
	if _, found, err := s.Get(t.Context(), c.Key); err != nil || found {
		t.Errorf("found %v, error %v", found, err)
	}
}

// A doubt that an older digate left is taken as if its lease had run out now.
func TestOpen_OlderSchema_IsBroughtUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := claimOf(1, 1)
	_, _, err = s.Claim(t.Context(), c)
	if err := errors.Join(err, s.MarkSending(t.Context(), c.Key, c.Token, time.Hour), s.MarkUnknown(t.Context(), c.Key, c.Token), s.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(`DROP INDEX record_open; ALTER TABLE record DROP COLUMN method; ALTER TABLE record DROP COLUMN lapsed_at; PRAGMA user_version = 1`)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	r, found, err := open(t, path, sqlite.Options{}).Get(t.Context(), c.Key)
	if err != nil || !found || r.LapsedFor <= 0 || r.LapsedFor > time.Minute {
		t.Errorf("found %v, error %v, lapsed for %v", found, err, r.LapsedFor)
	}
}
