package sqlite_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/sqlite"
)

// A server that starts afterwards does not see what is written to a removed file, and
// would send those calls again.
func TestStore_FileRemovedOrReplacedWhileOpen_FailsUntilItIsOpenedAgain(t *testing.T) {
	for name, take := range map[string]func(path string) error{
		"all removed":          func(path string) error { return removeAll(path, "", "-wal", "-shm") },
		"the file removed":     func(path string) error { return removeAll(path, "") },
		"the log removed":      func(path string) error { return removeAll(path, "-wal") },
		"the locks removed":    func(path string) error { return removeAll(path, "-shm") },
		"the file replaced":    func(path string) error { return replace(path) },
		"its folder moved off": func(path string) error { return os.Rename(filepath.Dir(path), filepath.Dir(path)+"-off") },
	} {
		dir := filepath.Join(t.TempDir(), "folder")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "ledger.db")
		s := open(t, path, sqlite.Options{})
		claimed := claimOf(1, 1)
		if _, mine, err := s.Claim(t.Context(), claimed); err != nil || !mine {
			t.Fatal(mine, err)
		}
		if err := take(path); err != nil {
			t.Fatal(err)
		}
		_, _, claim := s.Claim(t.Context(), claimOf(1, 2))
		_, _, get := s.Get(t.Context(), claimed.Key)
		_, named := s.Named(t.Context(), []string{"x"})
		send := s.MarkSending(t.Context(), claimed.Key, claimed.Token, time.Minute)
		for call, err := range map[string]error{"Claim": claim, "Get": get, "Named": named, "MarkSending": send} {
			if err == nil || !strings.Contains(err.Error(), "was removed") {
				t.Errorf("%s, %s: got %v", name, call, err)
			}
		}
	}
}

func removeAll(path string, suffixes ...string) error {
	for _, suffix := range suffixes {
		if err := os.Remove(path + suffix); err != nil {
			return err
		}
	}
	return nil
}

// replace puts another file in the file's place.
func replace(path string) error {
	if err := os.WriteFile(path+".other", nil, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".other", path)
}

// The store that lost its file closes last, and leaves the files of the store that
// has begun in its place: their logs have the same name.
func TestClose_AnotherLedgerIsInItsPlace_LeavesItAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	lost, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := removeAll(path, "", "-wal", "-shm"); err != nil {
		t.Fatal(err)
	}
	s := open(t, path, sqlite.Options{})
	c := claimOf(1, 1)
	if _, mine, err := s.Claim(t.Context(), c); err != nil || !mine {
		t.Fatal(mine, err)
	}
	if err := lost.Close(); err != nil {
		t.Error(err)
	}
	if err := s.MarkSending(t.Context(), c.Key, c.Token, time.Minute); err != nil {
		t.Fatal(err)
	}
	r, found, err := open(t, path, sqlite.Options{}).Get(t.Context(), c.Key)
	if err != nil || !found || r.State != ledger.Sending {
		t.Errorf("found %v in %v, error %v", found, r.State, err)
	}
}
