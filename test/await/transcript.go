package await

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
func (o *Transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.news != nil {
		close(o.news)
		o.news = nil
	}
	return o.text.Write(p)
}

func (o *Transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Await waits until the output contains a text, and returns all output.
func (o *Transcript) Await(t testing.TB, text string) string {
	t.Helper()
	timeout := time.After(Patience)
	for {
		o.mu.Lock()
		written := o.text.String()
		if o.news == nil {
			o.news = make(chan struct{})
		}
		news := o.news
		o.mu.Unlock()
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
