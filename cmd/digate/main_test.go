package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	for _, v := range os.Environ() { // settings of whoever runs the tests
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "DIGATE_") {
			_ = os.Unsetenv(name)
		}
	}
	dir, err := os.MkdirTemp("", "digate-test-")
	if err != nil {
		fmt.Println("FAIL:", err)
		os.Exit(1)
	}
	binaryDir = dir
	code := m.Run()
	if err := os.RemoveAll(dir); code == 0 && err != nil {
		fmt.Println("FAIL:", err)
		code = 1
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Println("FAIL:", err)
		code = 1
	}
	os.Exit(code)
}

// ran is what a command line did.
type ran struct {
	code     int
	out, err string
}

// digate runs a command line in the process, with nothing on stdin.
func digate(t *testing.T, args ...string) ran {
	t.Helper()
	return digateWith(t, "", args...)
}

func digateWith(t *testing.T, stdin string, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, err bytes.Buffer
	code := run(ctx, args, stdio{strings.NewReader(stdin), &out, &err})
	return ran{code, out.String(), err.String()}
}

// transcript collects what is written and lets others wait for it.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
	news chan struct{} // closed at the next write
}

func (r *transcript) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.news != nil {
		close(r.news)
		r.news = nil
	}
	return r.text.Write(p)
}

func (r *transcript) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// await returns what was written once that holds the text.
func (r *transcript) await(t *testing.T, text string) string {
	t.Helper()
	timeout := time.After(patience)
	for {
		r.mu.Lock()
		written := r.text.String()
		if r.news == nil {
			r.news = make(chan struct{})
		}
		news := r.news
		r.mu.Unlock()
		if strings.Contains(written, text) {
			return written
		}
		select {
		case <-news:
		case <-timeout:
			t.Fatalf("%q did not come in:\n%s", text, written)
		}
	}
}

var _ io.Writer = (*transcript)(nil)

// writeFile makes a file of the test's and returns its path.
func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := t.TempDir() + "/" + name
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
