package telemetry

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// countedKinds are the kinds of operations that are counted.
var countedKinds = []exchange.Kind{exchange.BulkItem, exchange.DetachedCall, exchange.InnerRead, exchange.Rename, exchange.Settlement}

// Start begins to observe an operation and returns the context for it. The caller must
// call end once, with the operation's exchange and error.
//
// Each operation is logged and counted, except a REST request: the record of
// [Telemetry.Middleware] is logged and counted instead, with the method and the error of
// the operation.
func (t *Telemetry) Start(ctx context.Context, op exchange.Operation) (_ context.Context, end func(*exchange.Exchange, error)) {
	if c := callFromContext(ctx); c != nil && op.Kind == exchange.RESTRequest {
		c.method, c.subject = t.label(op.Method), subjectOf(op.Method)
		if op.Protocol != "" {
			c.protocol = string(op.Protocol)
		}
		t.start(c)
		return t.traceREST(ctx, c, op.Method), func(_ *exchange.Exchange, err error) {
			c.known = t.isKnown(ctx)
			t.name(ctx, c)
			c.conclude(err)
		}
	}
	if op.Began.IsZero() {
		op.Began = time.Now()
	}
	t.metrics.begun.of(op.Kind).Inc()
	c := &call{method: t.label(op.Method)}
	if of := exchange.FromContext(ctx); of != nil { // the call that started the operation
		c.requestID, c.callersTrace = of.XRequestID, of.CallersTrace
	}
	traced, own := t.traceOperation(ctx, op)
	c.span = trace.SpanFromContext(traced)
	return traced, func(ex *exchange.Exchange, err error) {
		c.exchange = ex
		t.name(traced, c)
		c.conclude(err)
		if op.Kind == exchange.Settlement { // it is about a request of an earlier call
			c.outcome = exchange.NotApplicable
		}
		c.endSpan(own)
		t.operated(traced, op, c)
	}
}

// operated counts and logs an operation.
func (t *Telemetry) operated(ctx context.Context, op exchange.Operation, c *call) {
	took := time.Since(op.Began)
	t.metrics.operations.of(operationEnding{op.Kind, c.code, c.outcome}).Inc()
	t.metrics.exchanged(c, exemplarOf(t.tracer.spanContext(ctx, c.span)))
	t.noteDrift(ctx, c)
	if c.reason != "" {
		t.failures.note(c)
	}
	if t.audit != nil {
		c.about.ask(op.Request)
		c.known = t.isKnown(ctx)
		t.audit.operation(ctx, op.Kind, c, took)
	}
	level := slog.LevelDebug // a bulk stream has too many for a higher level
	switch {
	case c.reason == apierror.ReasonInternalError:
		level = slog.LevelError
	case c.outcome == exchange.Unknown:
		level = slog.LevelWarn
	}
	if !t.log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs,
		slog.String("kind", op.Kind.String()),
		slog.String("method", c.method),
		slog.String("code", codeName(c.code)),
		slog.String("outcome", c.outcome.String()),
		slog.Int64("duration_us", took.Microseconds()),
		slog.String(logRequestID, c.requestID),
	)
	t.write(ctx, level, "operation", c.attrs(c.withSpan(attrs)))
}
