package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// Telemetry observes calls on both faces.
type Telemetry struct {
	log      *slog.Logger
	metrics  *metrics
	registry *prometheus.Registry
	methods  map[string]bool
	drift    driftLog
}

// New returns a Telemetry that writes to the logger. The methods are the full
// gRPC names that may become a metric's label; any other is counted as "other".
func New(log *slog.Logger, methods []string) *Telemetry {
	t := &Telemetry{log: log, methods: make(map[string]bool)}
	t.metrics, t.registry = newMetrics()
	for _, m := range methods {
		t.methods[m] = true
	}
	return t
}

// MetricsHandler serves the metrics in Prometheus' format.
func (t *Telemetry) MetricsHandler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{Registry: t.registry})
}

// The faces of a call.
const (
	faceGRPC = "grpc"
	faceREST = "rest"
)

// call is what the access line says of a call. A REST request makes one, and
// the interceptor that sees its RPC fills it in.
type call struct {
	began     time.Time
	face      string
	method    string // the RPC, "other" where there is none
	code      codes.Code
	outcome   exchange.Outcome
	reason    string
	requestID string
	httpStat  int
	exchange  *exchange.Exchange
	started   bool // counted as begun
}

type callKey struct{}

func callFromContext(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

func (t *Telemetry) label(method string) string {
	if t.methods[method] {
		return method
	}
	return "other"
}

// conclude takes over what a call's error says.
func (c *call) conclude(err error) {
	if err == nil {
		c.code, c.outcome = codes.OK, exchange.Done
		return
	}
	e := apierror.FromError(err)
	c.code, c.outcome, c.reason = e.Code, e.Outcome, e.Reason
}

// start counts the call as begun, once: as soon as its method is known, or at
// its end where it has none.
func (t *Telemetry) start(c *call) {
	if !c.started {
		c.started = true
		t.metrics.started.WithLabelValues(c.face, c.method).Inc()
	}
}

// unfinished is what a panic leaves to conclude of a call.
func unfinished(ex *exchange.Exchange) exchange.Outcome {
	if ex.Attempts > 0 {
		return exchange.Unknown
	}
	return exchange.NotSent
}

// finish counts the call and writes its access line.
func (t *Telemetry) finish(ctx context.Context, c *call) {
	took := time.Since(c.began)
	t.start(c)
	t.metrics.ended(c, took)
	level := slog.LevelInfo
	switch {
	case c.code == codes.Internal && c.reason == apierror.ReasonInternalError:
		level = slog.LevelError
	case c.outcome == exchange.Unknown, c.code == codes.Unavailable:
		level = slog.LevelWarn
	}
	if ex := c.exchange; ex != nil && len(ex.Drift) > 0 {
		t.noteDrift(ctx, c.method, ex.Drift)
	}
	if !t.log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("face", c.face),
		slog.String("method", strings.TrimPrefix(c.method, "/")),
		slog.String("code", c.code.String()),
		slog.String("outcome", c.outcome.String()),
		slog.Float64("duration_ms", milliseconds(took)),
		slog.String("request_id", c.requestID),
	)
	if c.reason != "" {
		attrs = append(attrs, slog.String("reason", c.reason))
	}
	if c.httpStat != 0 {
		attrs = append(attrs, slog.Int("http_status", c.httpStat))
	}
	if ex := c.exchange; ex != nil && ex.Attempts > 0 {
		attrs = append(attrs,
			slog.Int("attempts", ex.Attempts),
			slog.Float64("vendor_duration_ms", milliseconds(ex.Duration)))
		if ex.Status != 0 {
			attrs = append(attrs, slog.Int("vendor_status", ex.Status))
		}
		if ex.Cause != "" {
			attrs = append(attrs, slog.String("cause", ex.Cause))
		}
	}
	t.log.LogAttrs(ctx, level, "call", attrs...)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// driftLog remembers which kinds of drift were logged. The kinds are bounded by
// the contract's fields and, for what the contract does not know, by maxDrift.
type driftLog struct {
	mu   sync.Mutex
	seen map[string]bool
}

// maxDrift bounds how many kinds of drift are told apart.
const maxDrift = 200

// first says whether this kind of drift is new, and under which name it is
// counted.
func (d *driftLog) first(what string) (name string, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen[what] {
		return what, false
	}
	if len(d.seen) >= maxDrift {
		return "other", false
	}
	if d.seen == nil {
		d.seen = make(map[string]bool)
	}
	d.seen[what] = true
	return what, true
}

func (t *Telemetry) noteDrift(ctx context.Context, method string, drift []string) {
	for _, what := range drift {
		name, first := t.drift.first(what)
		t.metrics.drift.WithLabelValues(name).Inc()
		if first {
			t.log.LogAttrs(ctx, slog.LevelWarn, "the vendor's answer departs from its contract; said once",
				slog.String("method", strings.TrimPrefix(method, "/")), slog.String("drift", what))
		}
	}
}
