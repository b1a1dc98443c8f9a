package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
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
	// faceInner is nobody's: see Inner.
	faceInner = "inner"
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
	if cause := e.Unwrap(); e.Reason == apierror.ReasonLedgerUnavailable && cause != nil && c.exchange.Cause == "" {
		c.exchange.Cause = brief(cause.Error()) // where there is no exchange that knows one
	}
}

// maxCause bounds the text of a cause, in bytes.
const maxCause = 300

func brief(text string) string {
	if len(text) > maxCause {
		text = strings.ToValidUTF8(text[:maxCause], "") + "…"
	}
	return text
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
	if len(ex.Attempts) > 0 {
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
	if c.exchange != nil {
		attrs = append(attrs, exchanged(c.exchange)...)
	}
	t.log.LogAttrs(ctx, level, "call", attrs...)
}

// exchanged is what a line says of the exchanges with the vendor.
func exchanged(ex *exchange.Exchange) []slog.Attr {
	if len(ex.Attempts) == 0 && ex.LedgerRecord == "" {
		return nil
	}
	attrs := make([]slog.Attr, 0, 6)
	if ex.LedgerRecord != "" {
		attrs = append(attrs, slog.String("ledger_record", ex.LedgerRecord))
	}
	if len(ex.Attempts) == 0 {
		return attrs
	}
	attrs = append(attrs,
		slog.Int("attempts", len(ex.Attempts)),
		slog.Float64("vendor_duration_ms", milliseconds(ex.Duration())),
	)
	if len(ex.Attempts) > 1 {
		attrs = append(attrs, slog.String("each", describeAttempts(ex.Attempts)))
	}
	if ex.Status != 0 {
		attrs = append(attrs, slog.Int("vendor_status", ex.Status))
	}
	if ex.Cause != "" {
		attrs = append(attrs, slog.String("cause", ex.Cause))
	}
	return attrs
}

// describeAttempts is each attempt as its status, outcome and milliseconds, such
// as "503 REJECTED 1.5, 201 DONE 20.1".
func describeAttempts(attempts []exchange.Attempt) string {
	var b strings.Builder
	for i, a := range attempts {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %s %.1f", vendorStatus(a.Status), a.Outcome, milliseconds(a.Duration))
	}
	return b.String()
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
