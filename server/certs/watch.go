package certs

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Watch keeps the current content of files. It reads them repeatedly and compares their
// text. So it notices every replacement of a file: by a new file, by changing a symbolic
// link (as Kubernetes does with ..data), or in place.
//
// The certificate and its key are separate files, so one reading may find one of them new
// and the other old. A new text is therefore used only after two equal readings. If it
// cannot be used, it is refused, and the previous content stays in use.
type Watch struct {
	WatchConfig
	current atomic.Pointer[Material]

	asked chan chan struct{}

	mu      sync.Mutex
	refused *content // the last refused text; nil if the files have the content in use
}

// WatchConfig is the configuration of a watch.
type WatchConfig struct {
	Files    Files
	Interval time.Duration
	// Taken is called when new content comes into use, and Refused when the new content
	// of the files cannot be used. Both are called only by [Watch.Run].
	Taken   func(*Material)
	Refused func(error)
}

// settle is the time between two readings that must be equal.
const settle = time.Second

// Open loads the files. It accepts a certificate that is not valid at present.
func Open(cfg WatchConfig) (*Watch, error) {
	m, err := cfg.Files.Load()
	if err != nil {
		return nil, err
	}
	w := &Watch{WatchConfig: cfg, asked: make(chan chan struct{})}
	w.current.Store(m)
	return w, nil
}

// Current returns the content in use.
func (w *Watch) Current() *Material { return w.current.Load() }

// Stale reports whether the content of the files was refused and is not in use.
func (w *Watch) Stale() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refused != nil
}

// Look makes Run read the files at once. It returns when their content is in use or
// refused, or when the context ends.
func (w *Watch) Look(ctx context.Context) {
	judged := make(chan struct{})
	select {
	case w.asked <- judged:
	case <-ctx.Done():
		return
	}
	select {
	case <-judged:
	case <-ctx.Done():
	}
}

// Run reads the files repeatedly until the context ends.
func (w *Watch) Run(ctx context.Context) {
	seen := w.Current().content
	timer := time.NewTimer(w.Interval)
	defer timer.Stop()
	var waiting []chan struct{} // for a decision
	for {
		select {
		case <-ctx.Done():
			return
		case judged := <-w.asked:
			waiting = append(waiting, judged)
		case <-timer.C:
		}
		found := w.Files.read()
		if settled := found.equal(&seen); settled {
			w.judge(&found)
			for _, judged := range waiting {
				close(judged)
			}
			waiting = nil
			timer.Reset(w.Interval)
		} else {
			timer.Reset(min(settle, w.Interval))
		}
		seen = found
	}
}

// judge uses the text that was read, or refuses it.
func (w *Watch) judge(found *content) {
	if found.equal(&w.Current().content) {
		w.refuse(nil)
		return
	}
	m, err := w.Files.parse(found)
	if err == nil {
		if invalid := m.Validity(time.Now()); invalid != nil {
			err = &FileError{w.Files.Certificate.Flag, invalid}
		}
	}
	if err == nil {
		w.current.Store(m)
		w.refuse(nil)
		w.Taken(m)
	} else if w.refuse(found) {
		w.Refused(err)
	}
}

// refuse records the refused text, or nil. It reports whether the text differs from the
// previous one.
func (w *Watch) refuse(c *content) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	another := c != nil && (w.refused == nil || !c.equal(w.refused))
	w.refused = c
	return another
}

// The sides of TLS connections whose files are watched.
const (
	Listeners = "listeners"
	Upstream  = "upstream"
)
