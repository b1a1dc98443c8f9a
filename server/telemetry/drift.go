package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// maxDrift bounds the kinds of drift that are counted apart: the name of a field
	// that the contract does not know is Diga's.
	maxDrift = 200
	// driftEvery is how often one kind is logged.
	driftEvery = time.Hour
)

// driftLog remembers when each kind of drift was last logged.
type driftLog struct {
	mu     sync.Mutex
	logged map[string]time.Time
}

// note returns the name under which a kind of drift is counted, and whether the
// drift is to be logged now.
func (d *driftLog) note(what string, now time.Time) (name string, log bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	last, known := d.logged[what]
	switch {
	case known && now.Sub(last) < driftEvery:
		return what, false
	case !known && len(d.logged) >= maxDrift:
		return "other", false
	case d.logged == nil:
		d.logged = make(map[string]time.Time)
	}
	d.logged[what] = now
	return what, true
}

// noteDrift counts the drift of a call's exchange and logs what is due.
func (t *Telemetry) noteDrift(ctx context.Context, c *call) {
	if c.exchange == nil || len(c.exchange.Drift) == 0 {
		return
	}
	now := time.Now()
	for _, d := range c.exchange.Drift {
		what := d.String()
		name, log := t.drift.note(what, now)
		t.metrics.drift.WithLabelValues(name).Inc()
		if log {
			t.log.LogAttrs(ctx, slog.LevelWarn, "a response of Diga departs from its contract; logged once an hour",
				slog.String("method", strings.TrimPrefix(c.method, "/")), slog.String("drift", what))
		}
	}
}
