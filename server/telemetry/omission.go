package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// strangerLines is how many lines within omissionPeriod may tell of calls without
	// a credential: anybody can make these.
	strangerLines  = 20
	omissionPeriod = time.Second
)

// omission counts the lines that are left out of the log.
type omission struct {
	mu      sync.Mutex
	began   time.Time // of the period
	written int       // in the period
	omitted int       // since the last report
}

// mayLogStranger reports whether a call without a credential gets a line. The lines
// that are left out are counted, and their number gets a line of its own at the end
// of the period. A server error always gets a line.
func (t *Telemetry) mayLogStranger(level slog.Level) bool {
	if level >= slog.LevelError {
		return true
	}
	o := &t.omitted
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := time.Now(); now.Sub(o.began) >= omissionPeriod {
		o.began, o.written = now, 0
	}
	if o.written < strangerLines {
		o.written++
		return true
	}
	t.metrics.omitted.Inc()
	if o.omitted++; o.omitted == 1 {
		time.AfterFunc(omissionPeriod, t.reportOmitted)
	}
	return false
}

// reportOmitted writes how many lines were left out.
func (t *Telemetry) reportOmitted() {
	o := &t.omitted
	o.mu.Lock()
	n := o.omitted
	o.omitted = 0
	o.mu.Unlock()
	t.log.LogAttrs(context.Background(), slog.LevelWarn, "calls without a credential were left out of the log", slog.Int("calls", n))
}
