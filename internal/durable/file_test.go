package durable

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// record replaces sync by a function that notes its argument. A file must be
// complete by then.
func record(t *testing.T, content string, err error) *[]string {
	t.Helper()
	var synced []string
	before := sync
	t.Cleanup(func() { sync = before })
	sync = func(f *os.File) error {
		synced = append(synced, filepath.Base(f.Name()))
		if info, statErr := f.Stat(); statErr != nil || !info.IsDir() && info.Size() != int64(len(content)) {
			t.Errorf("synced %s before it was written: %v", f.Name(), statErr)
		}
		return err
	}
	return &synced
}

func TestWrite_IsSyncedAfterTheContentAndClosed(t *testing.T) {
	synced := record(t, "content", nil)
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Write(f, []byte("content")), SyncDir(dir)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"file", "dir"}; !slices.Equal(*synced, want) {
		t.Errorf("got %v, want %v", *synced, want)
	}
	if err := f.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file was left open: %v", err)
	}
	if b, err := os.ReadFile(f.Name()); string(b) != "content" {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestCreate_ContentAndNameAreDurable(t *testing.T) {
	for name, create := range map[string]func(string, []byte) error{"Create": Create, "CreateWhole": CreateWhole} {
		t.Run(name, func(t *testing.T) {
			synced := record(t, "content", nil)
			dir := filepath.Join(t.TempDir(), "dir")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "file")
			if err := create(path, []byte("content")); err != nil {
				t.Fatal(err)
			}
			if got := *synced; len(got) != 2 || got[0] == "dir" || got[1] != "dir" {
				t.Errorf("got %v, want the file and then the directory", got)
			}
			if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
				t.Errorf("got %v, %v", info.Mode(), err)
			}
			if err := create(path, []byte("another")); !errors.Is(err, os.ErrExist) {
				t.Errorf("a file that is there: got %v", err)
			}
			if b, err := os.ReadFile(path); string(b) != "content" {
				t.Errorf("got %q, %v", b, err)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
				t.Errorf("left behind: %v, %v", files, err)
			}
		})
	}
}

func TestWrite_SyncFails_IsAnErrorAndCloses(t *testing.T) {
	failed := errors.New("input/output error")
	record(t, "content", failed)
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(f, []byte("content")); !errors.Is(err, failed) {
		t.Errorf("got %v, want %v", err, failed)
	}
	if err := f.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file was left open: %v", err)
	}
	if err := SyncDir(t.TempDir()); !errors.Is(err, failed) {
		t.Errorf("got %v, want %v", err, failed)
	}
	if err := SyncDir(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
