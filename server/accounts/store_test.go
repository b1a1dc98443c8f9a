package accounts_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/secret"
)

// told keeps what an observer is told.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (o *told) addf(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, fmt.Sprintf(format, args...))
}

// take returns what was told since it was last asked.
func (o *told) take() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := strings.Join(o.lines, "; ")
	o.lines = nil
	return all
}

func (o *told) AccountsLoaded(_ *accounts.Set, s accounts.Status) {
	o.addf("loaded %d accounts, %d callers, %d issuers, hash %d", s.Accounts, s.Callers, s.Issuers, len(s.Hash))
}
func (o *told) AccountsRefused(err error) { o.addf("refused: %v", err) }
func (o *told) TokenRead(account string)  { o.addf("token of %s read", account) }
func (o *told) TokenRefused(account string, err error) {
	o.addf("token of %s refused: %v", account, err)
}

// mount is a directory as Kubernetes mounts it: files are links into ..data, which is
// a link to the directory of a version.
type mount struct {
	t       *testing.T
	dir     string
	version int
}

func newMount(t *testing.T, files map[string]string) *mount {
	t.Helper()
	m := &mount{t: t, dir: t.TempDir()}
	m.swap(files)
	for name := range files {
		if err := os.Symlink(filepath.Join("..data", name), m.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *mount) path(name string) string { return filepath.Join(m.dir, name) }

// swap replaces all files at once. All have the same times.
func (m *mount) swap(files map[string]string) {
	m.t.Helper()
	m.version++
	dir := fmt.Sprintf("..v%d", m.version)
	must(m.t, os.Mkdir(m.path(dir), 0o700))
	for name, text := range files {
		path := m.path(filepath.Join(dir, name))
		must(m.t, os.WriteFile(path, []byte(text), 0o600))
		must(m.t, os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)))
	}
	must(m.t, os.Symlink(dir, m.path("..new")))
	must(m.t, os.Rename(m.path("..new"), m.path("..data")))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fileOf returns a file with accounts whose tokens are files of these paths.
func fileOf(tokens ...string) string {
	text := "accounts:\n"
	for i, path := range tokens {
		text += fmt.Sprintf("  a%d:\n    token: file://%s\n", i, path)
	}
	return text + "callers:\n  c:\n    identities: [{dns: c.example}]\n    allow: [{accounts: ['*'], methods: ['*']}]\n"
}

func token(s *accounts.Store, account string) string {
	return s.Set().Account(account).Token.Reveal().Reveal()
}

func TestStore_MountIsSwapped_IsReadAnewAsAWhole(t *testing.T) {
	t.Parallel()
	m := newMount(t, map[string]string{"file": "", "token": "first\n"})
	first := fileOf(m.path("token"))
	m.swap(map[string]string{"file": first, "token": "first\n"})
	var o told
	s, err := accounts.Open(m.path("file"), nil, &o)
	must(t, err)
	if got, want := o.take(), "loaded 1 accounts, 1 callers, 0 issuers, hash 64"; got != want || token(s, "a0") != "first" {
		t.Fatalf("got %s", got)
	}
	loaded := s.Status()
	for _, step := range []struct {
		name, file, token string
		want, has         string
		refused           bool
		tokens            int
	}{
		{"nothing changes", first, "first", "", "first", false, 0},
		{"another token", first, "other", "token of a0 read", "other", false, 0},
		{"a broken token", first, "two words", "token of a0 refused: file://TOKEN is not one word of printable ASCII, as a bearer token is", "other", false, 1},
		{"it stays broken", first, "two words", "", "other", false, 1},
		{"an empty token", first, "\n", "token of a0 refused: file://TOKEN is empty", "other", false, 1},
		{"the token that was", first, "other", "", "other", false, 0},
		{"a broken file", first + "x: y", "other", "refused: line 8: the file: unknown key \"x\"", "other", true, 0},
		{"it stays broken, and the token changes", first + "x: y", "third", "token of a0 read", "third", true, 0},
		{"the file that was", first, "third", "", "third", false, 0},
		{"a token that is missing", fileOf(m.path("token"), "/nonexistent"), "third", "refused: line 4: account a1, token: stat /nonexistent: no such file or directory", "third", true, 0},
		{"another file, and its token is broken", strings.Replace(first, "c.example", "d.example", 1), "", "loaded 1 accounts, 1 callers, 0 issuers, hash 64; token of a0 refused: file://TOKEN is empty", "third", false, 1},
	} {
		m.swap(map[string]string{"file": step.file, "token": step.token})
		err := s.Look()
		got := strings.ReplaceAll(o.take(), m.path("token"), "TOKEN")
		status := s.Status()
		if got != step.want || (err != nil) != strings.HasPrefix(step.want, "refused") || token(s, "a0") != step.has ||
			status.Refused != step.refused || status.TokensRefused != step.tokens {
			t.Errorf("%s: got %q, %v, %+v, token %s; want %q", step.name, got, err, status, token(s, "a0"), step.want)
		}
	}
	if s.Set().ByNames([]string{"d.example"}, nil) == nil || s.Status().Hash == loaded.Hash {
		t.Error("the last file is not in force")
	}
}

func TestStore_FileIsGone_StaysAsItWasAndSaysSoOnce(t *testing.T) {
	t.Parallel()
	m := newMount(t, map[string]string{"file": "", "token": "t"})
	m.swap(map[string]string{"file": fileOf(m.path("token")), "token": "t"})
	var o told
	s, err := accounts.Open(m.path("file"), nil, &o)
	must(t, err)
	o.take()
	m.swap(map[string]string{"token": "t"})
	for _, want := range []string{"refused: stat FILE: no such file or directory", ""} {
		_ = s.Look()
		if got := strings.ReplaceAll(o.take(), m.path("file"), "FILE"); got != want || token(s, "a0") != "t" || !s.Status().Refused {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	m.swap(map[string]string{"file": fileOf(m.path("token")), "token": "t"})
	if err := s.Look(); err != nil || s.Status().Refused {
		t.Errorf("the file is back: %v, %+v", err, s.Status())
	}
}

func TestStore_Run_LooksByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "token")
		file := filepath.Join(t.TempDir(), "file")
		must(t, os.WriteFile(path, []byte("t"), 0o600))
		must(t, os.WriteFile(file, []byte(fileOf(path)), 0o600))
		var o told
		s, err := accounts.Open(file, nil, &o)
		must(t, err)
		go s.Run(t.Context())
		must(t, os.WriteFile(path, []byte("u"), 0o600))
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if got := token(s, "a0"); got != "t" {
			t.Errorf("got %s at once", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := token(s, "a0"); got != "u" {
			t.Errorf("got %s", got)
		}
	})
}

func TestOpen_TokensThatCannotBeRead_AreAllNamedByTheirLines(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DIGA_TEST_TOKEN", "sk-hunter2")
	must(t, os.WriteFile(filepath.Join(dir, "long"), []byte(strings.Repeat("hunter2", 2000)), 0o600))
	text := fileOf(dir, "/nonexistent", filepath.Join(dir, "long")) + "  d:\n    identities: [{dns: d.example}]\n    allow: [{accounts: ['*'], methods: ['*']}]\n"
	text = strings.Replace(text, "callers:", "  e:\n    token: env://DIGA_TEST_UNSET\n  f:\n    token: env://DIGA_TEST_TOKEN\ncallers:", 1)
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	s, err := accounts.Open(file, nil, &told{})
	want := "FILE: line 2: account a0, token: DIR is no regular file\n" +
		"line 4: account a1, token: stat /nonexistent: no such file or directory\n" +
		"line 6: account a2, token: file://DIR/long is larger than 8192 bytes\n" +
		"line 8: account e, token: the variable DIGA_TEST_UNSET is not set"
	if s != nil || err == nil || strings.ReplaceAll(strings.ReplaceAll(err.Error(), file, "FILE"), dir, "DIR") != want || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	must(t, os.WriteFile(file, []byte(strings.ReplaceAll(fileOf("/x"), "file:///x", "env://DIGA_TEST_TOKEN")), 0o600))
	s, err = accounts.Open(file, nil, &told{})
	must(t, err)
	if token(s, "a0") != "sk-hunter2" {
		t.Error("the variable is not read")
	}
	shown := fmt.Sprintf("%v %+v %#v %v %+v", s.Set().Account("a0"), s.Set().Account("a0"), s.Set().Account("a0").Token, s.Set().Account("a0").Token, s)
	if strings.Contains(shown, "hunter2") {
		t.Errorf("a token is printed: %s, and not %s", shown, secret.Redacted)
	}
}
