package telemetry

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/status"
)

const (
	// maxDrift is the maximum number of kinds of drift with a counter of their own. It is
	// limited because Diga chooses the names of fields that the contract does not know.
	maxDrift = 200
	// driftEvery is the interval at which the same kind is logged.
	driftEvery = time.Hour
)

// driftLog remembers the kinds of drift, and when each was last logged.
type driftLog struct {
	mu   sync.Mutex
	seen map[string]*drift
}

type drift struct {
	status.Drift
	logged time.Time
}

// note returns the name under which the drift is counted, and reports whether to log it
// now.
func (d *driftLog) note(seen exchange.Drift, now time.Time) (name string, log bool) {
	what := seen.String()
	d.mu.Lock()
	defer d.mu.Unlock()
	kind := d.seen[what]
	if kind == nil {
		if len(d.seen) >= maxDrift {
			return "other", false
		}
		if d.seen == nil {
			d.seen = make(map[string]*drift)
		}
		kind = &drift{Drift: status.Drift{What: what, Meaning: seen.Meaning()}}
		d.seen[what] = kind
	}
	kind.Count++
	kind.Last = now.UTC()
	if !kind.logged.IsZero() && now.Sub(kind.logged) < driftEvery {
		return what, false
	}
	kind.logged = now
	return what, true
}

// DriftSeen returns the kinds of drift since the start, the latest first.
func (t *Telemetry) DriftSeen() []status.Drift {
	t.drift.mu.Lock()
	defer t.drift.mu.Unlock()
	all := make([]status.Drift, 0, len(t.drift.seen))
	for _, d := range t.drift.seen {
		all = append(all, d.Drift)
	}
	slices.SortFunc(all, func(a, b status.Drift) int { return cmp.Or(b.Last.Compare(a.Last), strings.Compare(a.What, b.What)) })
	return all
}

// noteDrift counts the drift in a call's exchange, and logs the kinds that are due.
func (t *Telemetry) noteDrift(ctx context.Context, c *call) {
	if c.exchange == nil || len(c.exchange.Drift) == 0 {
		return
	}
	now := time.Now()
	for _, d := range c.exchange.Drift {
		name, log := t.drift.note(d, now)
		t.metrics.drift.WithLabelValues(name).Inc()
		if log {
			t.log.LogAttrs(ctx, slog.LevelWarn, "a response of Diga departs from its contract; logged once an hour",
				slog.String("method", strings.TrimPrefix(c.method, "/")), slog.String("drift", name), slog.String("meaning", d.Meaning()))
		}
	}
}
