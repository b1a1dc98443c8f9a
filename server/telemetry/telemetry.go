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
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
)

// Telemetry observes calls of all protocols, and operations.
type Telemetry struct {
	log      *slog.Logger
	metrics  *metrics
	ledger   ledgerMetrics
	tls      tlsMetrics
	registry *prometheus.Registry
	methods  map[string]string // the name of a method, by its path
	drift    driftLog
	failures failures
	omitted  omission
	known    func(context.Context) bool // nil if no caller is known
	accounts accountsMetrics
	named    bool      // callers have names
	audit    *auditing // nil without an audit log

	beforeResponse func(http.Header) // may be nil
	tracer         tracer
}

// New returns a Telemetry that writes to the logger. methods are the paths of the calls
// that have a label of their own in metrics; all other calls are counted as [other]. The
// duration histograms reach up to the longest duration of a call.
func New(log *slog.Logger, methods []string, longest time.Duration) *Telemetry {
	t := &Telemetry{log: log, methods: make(map[string]string)}
	t.metrics, t.registry = newMetrics(longest)
	t.omitted.counter, t.omitted.report = t.metrics.omitted, t.reportOmitted
	t.ledger = newLedgerMetrics(t.registry, longest)
	t.tls = newTLSMetrics(t.registry)
	t.accounts = newAccountsMetrics()
	for _, m := range methods {
		t.methods[m] = strings.TrimPrefix(m, "/")
	}
	return t
}

// MetricsHandler serves the metrics in Prometheus' format or, to clients that accept it,
// as OpenMetrics with exemplars.
func (t *Telemetry) MetricsHandler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{Registry: t.registry, EnableOpenMetrics: true})
}

// The protocols of a call.
const (
	protocolGRPC = "grpc"
	protocolREST = "rest"
)

// call is the record of a call, for its access log line and the metrics. The middleware
// creates one for each REST request, and the interceptor of the request's RPC completes
// it.
type call struct {
	began     time.Time
	protocol  string
	method    string // the RPC, or "other"
	code      codes.Code
	outcome   exchange.Outcome
	reason    string
	requestID string // the X-Request-Id
	httpStat  int
	exchange  *exchange.Exchange // nil if the call was refused before it had one
	cause     string             // the cause of the failure, if it is not in the exchange
	started   bool               // counted as started
	known     bool               // Diga has accepted the caller
	subject   subject
	by        *authn.Named     // nil for a caller without a name
	principal *authn.Principal // only with names or an audit log
	peer      string           // of a REST request
	about     about            // only with an audit log
	request   *http.Request    // of the REST side, as it arrived
	span      trace.Span       // may be nil
	// callersTrace means that the caller named the trace.
	callersTrace bool
}

// name records the caller, if callers have names or there is an audit log.
func (t *Telemetry) name(ctx context.Context, c *call) {
	if !t.named && t.audit == nil {
		return
	}
	if p := authn.FromContext(ctx); p != nil {
		c.principal, c.by = p, p.Named()
	}
}

// subject is what a call is about.
type subject int8

const (
	// ofDiga is a call with an outcome: it performs something at Diga.
	ofDiga subject = iota
	// ofDigate is a call about digate itself.
	ofDigate
	// ofAnybody is a call about digate that needs no credential.
	ofAnybody
)

// subjectOf returns the subject of a call with this full gRPC name. An unknown method
// counts as ofDiga.
func subjectOf(method string) subject {
	switch {
	case contract.Open(method):
		return ofAnybody
	case contract.Own(method):
		return ofDigate
	default:
		return ofDiga
	}
}

type callKey struct{}

func callFromContext(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// label returns the name of the method with this path, or [other] if it is unknown.
func (t *Telemetry) label(path string) string {
	if name, ok := t.methods[path]; ok {
		return name
	}
	return other
}

// conclude sets the result of a call from its error.
func (c *call) conclude(err error) {
	if err == nil {
		c.code, c.outcome = codes.OK, exchange.Done
		return
	}
	e := apierror.FromError(err)
	c.code, c.outcome, c.reason = e.Code, e.Outcome, e.Reason
	c.cause = knownCause(e)
	if c.subject != ofDiga && c.reason == apierror.ReasonOutcomeUnknown {
		c.reason = "" // a status of gRPC's own services
	}
}

// knownCause returns what failed where that text is digate's own: why the ledger failed,
// and why a credential was refused. The texts of other errors may be Diga's.
func knownCause(e *apierror.Error) string {
	switch cause := e.Unwrap(); {
	case e.Reason == apierror.ReasonLedgerUnavailable && cause != nil:
		return brief(cause.Error())
	case e.Domain == apierror.DomainDigate && (e.Reason == apierror.ReasonInvalidCredential || e.Reason == apierror.ReasonMissingCredential):
		return brief(e.Message)
	default:
		return ""
	}
}

// maxCause is the maximum length of a cause, in bytes.
const maxCause = 300

func brief(text string) string {
	if len(text) > maxCause {
		text = strings.ToValidUTF8(text[:maxCause], "") + "…"
	}
	return text
}

// start counts the call as started, once: as soon as its method is known, or at its end
// if it has none.
func (t *Telemetry) start(c *call) {
	if !c.started {
		c.started = true
		t.metrics.started.of(c.endpoint()).Inc()
	}
}

// unfinished returns the outcome of a call that ended in a panic.
func unfinished(ex *exchange.Exchange) exchange.Outcome {
	if len(ex.Attempts) > 0 {
		return exchange.Unknown
	}
	return exchange.NotSent
}

// finish counts the call and writes its access log line.
func (t *Telemetry) finish(ctx context.Context, c *call) {
	took := time.Since(c.began)
	switch {
	case c.subject != ofDiga:
		c.outcome = exchange.NotApplicable
	case c.outcome == exchange.Done && c.hasDoubts():
		c.outcome = exchange.Unknown
	}
	t.start(c)
	t.metrics.ended(c, took, exemplarOf(t.tracer.spanContext(ctx, c.span)))
	if c.by != nil {
		t.accounts.calls.WithLabelValues(c.by.Account, c.by.Caller, codeName(c.code)).Inc()
	}
	level := slog.LevelInfo
	switch {
	case c.subject == ofAnybody && c.reason == "": // a load balancer sends one every second
		level = slog.LevelDebug
	case c.code == codes.Internal && c.reason == apierror.ReasonInternalError:
		level = slog.LevelError
	case c.outcome == exchange.Unknown, c.code == codes.Unavailable && c.subject != ofAnybody:
		level = slog.LevelWarn
	}
	t.noteDrift(ctx, c)
	c.endSpan(c.span)
	if c.reason != "" {
		t.failures.note(c)
	}
	if t.audit != nil {
		t.audit.call(ctx, c, took)
	}
	if !t.log.Enabled(ctx, level) {
		return
	}
	if c.ofStranger(level) && !t.mayLogStranger() {
		return
	}
	attrs := make([]slog.Attr, 0, 16)
	// The durations are integers: slog's JSON handler writes a float by reflection, which
	// takes more time and stack than the rest of the line.
	attrs = append(attrs,
		slog.String("protocol", c.protocol),
		slog.String("method", c.method),
		slog.String("code", codeName(c.code)),
		slog.String("outcome", c.outcome.String()),
		slog.Int64("duration_us", took.Microseconds()),
		slog.String(logRequestID, c.requestID),
	)
	t.write(ctx, level, "call", c.attrs(c.withSpan(attrs)))
}

// write writes a line. Unlike a logger, it does not determine the source location,
// because no line shows it.
func (t *Telemetry) write(ctx context.Context, level slog.Level, message string, attrs []slog.Attr) {
	r := slog.NewRecord(time.Now(), level, message, 0)
	r.AddAttrs(attrs...)
	_ = t.log.Handler().Handle(ctx, r)
}

// hasDoubts reports whether the call is a bulk stream with a copy in doubt.
func (c *call) hasDoubts() bool {
	return c.exchange != nil && c.exchange.Items != nil && c.exchange.Items.Unknown > 0
}

// attrs appends the attributes that only some calls have: why a call failed, and what
// passed between digate and Diga.
func (c *call) attrs(attrs []slog.Attr) []slog.Attr {
	if c.by != nil {
		attrs = append(attrs, slog.String("account", c.by.Account), slog.String("caller", c.by.Caller))
	}
	if c.reason != "" {
		attrs = append(attrs, slog.String("reason", c.reason))
	}
	if c.httpStat != 0 {
		attrs = append(attrs, slog.Int("http_status", c.httpStat))
	}
	cause := c.cause
	if ex := c.exchange; ex != nil {
		if ex.LedgerRecord != "" {
			attrs = append(attrs, slog.String("ledger_record", ex.LedgerRecord))
		}
		if n := ex.Items; n != nil {
			attrs = append(attrs,
				slog.Int64("items", n.Total), slog.Int64("items_done", n.Done), slog.Int64("items_replayed", n.Replayed),
				slog.Int64("items_not_sent", n.NotSent), slog.Int64("items_rejected", n.Rejected), slog.Int64("items_unknown", n.Unknown))
		}
		if len(ex.Attempts) > 0 {
			attrs = append(attrs,
				slog.Int("attempts", len(ex.Attempts)),
				slog.Int64("upstream_duration_us", ex.Duration().Microseconds()))
		}
		if len(ex.Attempts) > 1 {
			attrs = append(attrs, slog.String("each", describeAttempts(ex.Attempts)))
		}
		if ex.Status != 0 {
			attrs = append(attrs, slog.Int("upstream_status", ex.Status))
		}
		if ex.Omitted != "" {
			attrs = append(attrs, slog.String("omitted", ex.Omitted))
		}
		if ex.Cause != "" {
			cause = ex.Cause
		}
	}
	if cause != "" {
		attrs = append(attrs, slog.String("cause", cause))
	}
	return attrs
}

// describeAttempts lists each attempt with its status, outcome and milliseconds, such as
// "503 REJECTED 1.5, 201 DONE 20.1".
func describeAttempts(attempts []exchange.Attempt) string {
	var b strings.Builder
	for i, a := range attempts {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %s %.1f", upstreamStatus(a.Status), a.Outcome, float64(a.Duration)/float64(time.Millisecond))
	}
	return b.String()
}
