package ledger_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/digate/digate/server/ledger"
)

func TestCreateKey_ManyAtOnce_EndWithOneKey(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	checks := make([]ledger.Digest, 16)
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range checks {
		group.Go(func() {
			<-start
			keys, err := ledger.CreateKey(path)
			if err != nil {
				t.Error(err)
				return
			}
			checks[i] = keys.Check()
		})
	}
	close(start)
	group.Wait()
	for _, c := range checks {
		if c != checks[0] {
			t.Fatal("there are two keys")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestCreateKey_FileIsThere_IsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(strings.Repeat("0a", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	created, err := ledger.CreateKey(path)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := ledger.LoadKey(path)
	if err != nil || loaded.Check() != created.Check() {
		t.Errorf("got another key, error %v", err)
	}
}

func TestCreateKey_FolderMissing_IsRefused(t *testing.T) {
	if _, err := ledger.CreateKey(filepath.Join(t.TempDir(), "missing", "key")); err == nil {
		t.Error("no error")
	}
}

func TestLoadKey_Content_IsTakenOrRefusedWithoutQuotingIt(t *testing.T) {
	good := strings.Repeat("c0ffee42", 8)
	for _, test := range []struct {
		name, content string
		ok            bool
	}{
		{"digits", good, true},
		{"digits and a line end", good + "\n", true},
		{"digits and Windows' line end", good + "\r\n", true},
		{"capitals", strings.ToUpper(good), true},
		{"nothing", "", false},
		{"too few", good[2:], false},
		{"too many", good + "00", false},
		{"another letter", "g" + good[1:], false},
		{"two lines", good[:32] + "\n" + good[32:], false},
		{"far too much", strings.Repeat(good, 1000), false},
	} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ledger.LoadKey(path)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "c0ffee") {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if _, err := ledger.LoadKey(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a file that is not there: no error")
	}
}

func TestState_Name_IsReadBack(t *testing.T) {
	for s := ledger.Claimed; s <= ledger.Unknown; s++ {
		if got, err := ledger.ParseState(s.String()); err != nil || got != s {
			t.Errorf("%v: got %v, %v", s, got, err)
		}
	}
	for _, name := range []string{"", "invalid", "Done"} {
		if _, err := ledger.ParseState(name); err == nil {
			t.Errorf("%q is a state", name)
		}
	}
}
