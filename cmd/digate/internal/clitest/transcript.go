package clitest

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// Transcript collects output. Tests can wait for a text in it.
type Transcript struct {
	mu   sync.Mutex
	text strings.Builder
	news chan struct{} // closed at the next write
}

// Write implements [io.Writer].
func (r *Transcript) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.news != nil {
		close(r.news)
		r.news = nil
	}
	return r.text.Write(p)
}

func (r *Transcript) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// Await waits until the output contains a text, and returns all output.
func (r *Transcript) Await(t *testing.T, text string) string {
	t.Helper()
	timeout := time.After(Patience)
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
