package certs_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/server/certs/certstest"
)

const interval = 10 * time.Second

// watched is a watch of files in a directory, and what it did.
type watched struct {
	*certs.Watch
	dir     string
	taken   []string // names of certificates
	refused []string // errors
}

// watch runs a watch of tls.crt and tls.key in a directory, in a bubble of synctest.
func watch(t *testing.T, dir string) *watched {
	t.Helper()
	w := &watched{dir: dir}
	var err error
	w.Watch, err = certs.Open(certs.WatchConfig{
		Files:    filesIn(dir),
		Interval: interval,
		Taken:    func(m *certs.Material) { w.taken = append(w.taken, m.Certificate.Leaf.Subject.CommonName) },
		Refused:  func(err error) { w.refused = append(w.refused, err.Error()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return w
}

func filesIn(dir string) certs.Files {
	return certs.Files{
		Certificate: certs.File{Flag: "cert", Path: filepath.Join(dir, "tls.crt")},
		Key:         certs.File{Flag: "key", Path: filepath.Join(dir, "tls.key")},
	}
}

// looks lets the watch read the files this many times.
func looks(n int) {
	time.Sleep(time.Duration(n)*interval + time.Millisecond)
	synctest.Wait()
}

// expect fails unless the watch did this, and uses the certificate of that name.
func (w *watched) expect(t *testing.T, name string, taken, refused int, stale bool) {
	t.Helper()
	if got := w.Current().Certificate.Leaf.Subject.CommonName; got != name || len(w.taken) != taken || len(w.refused) != refused || w.Stale() != stale {
		t.Errorf("in use: %s, taken: %q, refused: %q, stale: %v; want %s, %d, %d, %v", got, w.taken, w.refused, w.Stale(), name, taken, refused, stale)
	}
}

func TestWatch_NewFiles_AreTakenWhenTwoReadingsAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, dir := certstest.NewAuthority(t), t.TempDir()
		a.Pair(t, dir, "one")
		w := watch(t, dir)
		looks(3)
		w.expect(t, "one", 0, 0, false)
		a.Pair(t, dir, "two")
		looks(1)
		w.expect(t, "one", 0, 0, false)
		time.Sleep(time.Second)
		synctest.Wait()
		w.expect(t, "two", 1, 0, false)
		looks(3)
		w.expect(t, "two", 1, 0, false)
	})
}

// A certificate and its key are two files: between the two writes they do not fit.
func TestWatch_CertificateBeforeItsKey_IsNotRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, dir := certstest.NewAuthority(t), t.TempDir()
		a.Pair(t, dir, "one")
		w := watch(t, dir)
		cert, key := a.Issue(t, authority.Request{Names: []string{"two"}})
		certstest.Write(t, filepath.Join(dir, "tls.crt"), cert)
		looks(1)
		certstest.Write(t, filepath.Join(dir, "tls.key"), key)
		looks(2)
		w.expect(t, "two", 1, 0, false)
	})
}

// Kubernetes has the files behind a link to a directory that it replaces as a whole.
func TestWatch_LinkThatLeadsElsewhere_IsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, dir := certstest.NewAuthority(t), t.TempDir()
		version := func(name string) {
			at := filepath.Join(dir, "..v-"+name)
			if err := os.Mkdir(at, 0o700); err != nil {
				t.Fatal(err)
			}
			a.Pair(t, at, name)
			next := filepath.Join(dir, "..data_tmp")
			if err := os.Symlink(filepath.Base(at), next); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(next, filepath.Join(dir, "..data")); err != nil {
				t.Fatal(err)
			}
		}
		version("one")
		for _, name := range []string{"tls.crt", "tls.key"} {
			if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		w := watch(t, dir)
		version("two")
		if err := os.RemoveAll(filepath.Join(dir, "..v-one")); err != nil {
			t.Fatal(err)
		}
		looks(2)
		w.expect(t, "two", 1, 0, false)
	})
}

func TestWatch_FilesThatCannotBeUsed_AreRefusedOnceAndTheOldOnesGoOn(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, a *certstest.Authority, dir string)
		says  string
	}{
		"garbage": {func(t *testing.T, _ *certstest.Authority, dir string) {
			certstest.Write(t, dir+"/tls.crt", []byte("x"))
		}, "--cert: there is no certificate in "},
		"empty": {func(t *testing.T, _ *certstest.Authority, dir string) { certstest.Write(t, dir+"/tls.crt", nil) }, "--cert: there is no certificate in "},
		"a key of another": {func(t *testing.T, a *certstest.Authority, dir string) {
			_, k := a.Issue(t, authority.Request{})
			certstest.Write(t, dir+"/tls.key", k)
		}, "--key: the key is not that of the first certificate in "},
		"without a key":     {func(t *testing.T, _ *certstest.Authority, dir string) { certstest.Write(t, dir+"/tls.key", nil) }, "--key: there is no private key in "},
		"gone":              {func(t *testing.T, _ *certstest.Authority, dir string) { _ = os.Remove(dir + "/tls.crt") }, "--cert: cannot read "},
		"of another time":   {ended, "--cert: the certificate ended at "},
		"the chain cut off": {func(t *testing.T, _ *certstest.Authority, dir string) { cut(t, dir+"/tls.crt") }, "--cert: what follows certificate 1 in "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, dir := certstest.NewAuthority(t), t.TempDir()
				a.Pair(t, dir, "one")
				w := watch(t, dir)
				c.spoil(t, a, dir)
				looks(5)
				w.expect(t, "one", 0, 1, true)
				if len(w.refused) == 1 && !strings.HasPrefix(w.refused[0], c.says) {
					t.Errorf("%s, want %s", w.refused[0], c.says)
				}
				a.Pair(t, dir, "two")
				looks(2)
				w.expect(t, "two", 1, 1, false)
			})
		})
	}
}

func ended(t *testing.T, a *certstest.Authority, dir string) {
	t.Helper()
	cert, key := a.Issue(t, authority.Request{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	certstest.Write(t, filepath.Join(dir, "tls.crt"), cert)
	certstest.Write(t, filepath.Join(dir, "tls.key"), key)
}

func cut(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	certstest.Write(t, path, append(b, b[:len(b)/2]...))
}

// A certificate that is made ahead of its time is taken when its time comes.
func TestWatch_CertificateThatIsNotValidYet_IsTakenWhenItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, dir := certstest.NewAuthority(t), t.TempDir()
		a.Pair(t, dir, "one")
		w := watch(t, dir)
		cert, key := a.Issue(t, authority.Request{Names: []string{"two"}, NotBefore: time.Now().Add(time.Hour)})
		certstest.Write(t, filepath.Join(dir, "tls.crt"), cert)
		certstest.Write(t, filepath.Join(dir, "tls.key"), key)
		looks(2)
		w.expect(t, "one", 0, 1, true)
		time.Sleep(time.Hour)
		synctest.Wait()
		w.expect(t, "two", 1, 1, false)
	})
}

// What was refused and taken back is no longer named.
func TestWatch_OldFilesThatComeBack_AreNotStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, dir := certstest.NewAuthority(t), t.TempDir()
		a.Pair(t, dir, "one")
		w := watch(t, dir)
		path := filepath.Join(dir, "tls.crt")
		old, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		certstest.Write(t, path, []byte("x"))
		looks(2)
		w.expect(t, "one", 0, 1, true)
		certstest.Write(t, path, old)
		looks(2)
		w.expect(t, "one", 0, 1, false)
	})
}

// A look does not wait for the interval, and returns when the new files are in use.
func TestWatch_Look_TakesNewFilesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, dir := certstest.NewAuthority(t), t.TempDir()
		a.Pair(t, dir, "one")
		w := watch(t, dir)
		a.Pair(t, dir, "two")
		begun := time.Now()
		w.Look(t.Context())
		w.expect(t, "two", 1, 0, false)
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		w.Look(t.Context()) // nothing is new
		w.expect(t, "two", 1, 0, false)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		w.Look(ended)
	})
}
