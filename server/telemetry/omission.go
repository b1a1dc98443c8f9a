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
	// strangerLines is how many lines within omissionPeriod may tell of calls by
	// strangers: anybody can make these.
	strangerLines  = 20
	omissionPeriod = time.Second
)

// omission bounds the lines about strangers, and counts those that are left out.
type omission struct {
	counter prometheus.Counter
	// report gets the number of lines that were left out, at the end of a period.
	report func(lines int)

	mu      sync.Mutex
	began   time.Time // of the period
	written int       // in the period
	omitted int       // since the last report
}

// KnowCallers sets what reports whether Diga ever accepted the caller of the call with
// a context. It must be called before there are calls; without it nobody is known.
func (t *Telemetry) KnowCallers(known func(context.Context) bool) { t.known = known }

// isKnown reports whether Diga ever accepted the caller of the call with this context.
func (t *Telemetry) isKnown(ctx context.Context) bool { return t.known != nil && t.known(ctx) }

// ofStranger reports whether a call is one of a stranger's, a caller that Diga never
// accepted, after which nothing was done at Diga. A server error is nobody's.
func (c *call) ofStranger(level slog.Level) bool {
	return !c.known && level < slog.LevelError && c.outcome != exchange.Done && c.outcome != exchange.Unknown
}

// mayLogStranger reports whether a stranger's call gets a line in the log.
func (t *Telemetry) mayLogStranger() bool { return t.omitted.allows() }

// allows reports whether a stranger's call gets a line: it does until there were many
// in the period. The lines that are left out are counted, and their number is reported
// at the end of the period.
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

// flush reports how many lines were left out.
func (o *omission) flush() {
	o.mu.Lock()
	n := o.omitted
	o.omitted = 0
	o.mu.Unlock()
	o.report(n)
}

// reportOmitted writes how many lines were left out of the log.
func (t *Telemetry) reportOmitted(lines int) {
	t.log.LogAttrs(context.Background(), slog.LevelWarn, "calls by strangers were left out of the log", slog.Int("calls", lines))
}
