package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/digate/digate/server/exchange"
)

const (
	// strangerLines is the maximum number of lines about calls of strangers within
	// omissionPeriod: anybody can make such calls.
	strangerLines  = 20
	omissionPeriod = time.Second
)

// omission limits the lines about strangers, and counts those that are left out.
type omission struct {
	counter prometheus.Counter
	// report is called with the number of omitted lines at the end of a period.
	report func(lines int)

	mu      sync.Mutex
	began   time.Time // of the period
	written int       // in the period
	omitted int       // since the last report
}

// KnowCallers sets the function that reports whether Diga has accepted the caller in a
// context. It must be called before the first call. Without it, no caller is known.
func (t *Telemetry) KnowCallers(known func(context.Context) bool) { t.known = known }

// isKnown reports whether Diga has accepted the caller in the context.
func (t *Telemetry) isKnown(ctx context.Context) bool { return t.known != nil && t.known(ctx) }

// ofStranger reports whether a call came from a stranger, a caller that Diga has not
// accepted, and had no effect at Diga. Calls that failed because of the server do not
// count.
func (c *call) ofStranger(level slog.Level) bool {
	return !c.known && level < slog.LevelError && c.outcome != exchange.Done && c.outcome != exchange.Unknown
}

// mayLogStranger reports whether a stranger's call is logged.
func (t *Telemetry) mayLogStranger() bool { return t.omitted.allows() }

// allows reports whether another line is permitted in the current period. It counts the
// omitted lines, whose number is reported at the end of the period.
func (o *omission) allows() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := time.Now(); now.Sub(o.began) >= omissionPeriod {
		o.began, o.written = now, 0
	}
	if o.written < strangerLines {
		o.written++
		return true
	}
	o.counter.Inc()
	if o.omitted++; o.omitted == 1 {
		time.AfterFunc(omissionPeriod, o.flush)
	}
	return false
}

// flush reports how many lines were omitted.
func (o *omission) flush() {
	o.mu.Lock()
	n := o.omitted
	o.omitted = 0
	o.mu.Unlock()
	o.report(n)
}

// reportOmitted logs how many lines were omitted.
func (t *Telemetry) reportOmitted(lines int) {
	t.log.LogAttrs(context.Background(), slog.LevelWarn, "calls by strangers were left out of the log", slog.Int("calls", lines))
}
