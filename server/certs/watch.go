package certs

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Watch keeps what files hold. It reads them again and again, and compares what they
// say: however a file was replaced, by a new file, by a symbolic link that leads
// elsewhere (as Kubernetes does with ..data), or in place, the new text is seen.
//
// The files of a certificate and of its key are two, so a reading may find one new and
// one old. A new text is therefore judged when two readings have found the same.
// One that cannot be used is refused, and what was loaded before goes on.
type Watch struct {
	WatchConfig
	current atomic.Pointer[Material]

	asked chan chan struct{}

	mu      sync.Mutex
	refused *content // what was refused last, nil when the files hold what is in use
}

// WatchConfig is what a watch needs.
type WatchConfig struct {
	Files    Files
	Interval time.Duration
	// Taken is called when other material was taken than before, and Refused when the
	// files hold what cannot be used. Both are called by [Watch.Run] alone.
	Taken   func(*Material)
	Refused func(error)
}

// settle is the time between two readings that must have found the same.
const settle = time.Second

// Open loads the files. A certificate that is not valid at this time is loaded too.
func Open(cfg WatchConfig) (*Watch, error) {
	m, err := cfg.Files.Load()
	if err != nil {
		return nil, err
	}
	w := &Watch{WatchConfig: cfg, asked: make(chan chan struct{})}
	w.current.Store(m)
	return w, nil
}

// Current returns what is in use.
func (w *Watch) Current() *Material { return w.current.Load() }

// Stale reports whether the files hold something else than what is in use, because it
// was refused.
func (w *Watch) Stale() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refused != nil
}

// Look has Run read the files at once, and returns when they are judged, or when the
// context ends.
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

// Run reads the files until the context ends.
func (w *Watch) Run(ctx context.Context) {
	seen := w.Current().content
	timer := time.NewTimer(w.Interval)
	defer timer.Stop()
	var waiting []chan struct{} // for a judgement
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

// judge takes what was read, or refuses it.
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

// refuse remembers what was refused, nil for nothing. It reports whether that is
// another than before.
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
