// Package tracing creates the spans of the steps of a call, as children of the span in
// the context. A call that is not traced only pays for one look into its context.
//
// The attributes of spans are names, numbers, or texts of digate's own. No span has data
// from callers or Diga.
package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Scope is the instrumentation scope of every span.
const Scope = "github.com/digate/digate"

// The attributes for which OpenTelemetry has no convention.
const (
	Method       = attribute.Key("digate.method")
	Outcome      = attribute.Key("digate.outcome")
	Reason       = attribute.Key("digate.reason")
	Attempts     = attribute.Key("digate.attempts")
	Account      = attribute.Key("digate.account")
	Caller       = attribute.Key("digate.caller")
	LedgerRecord = attribute.Key("digate.ledger_record")
	Replayed     = attribute.Key("digate.replayed")
	Outlived     = attribute.Key("digate.outlived_caller")
	Items        = attribute.Key("digate.items")
	ItemsUnknown = attribute.Key("digate.items_unknown")
	Waited       = attribute.Key("digate.waited_for")
)

// none records nothing.
var none = trace.SpanFromContext(context.Background())

// Start starts a span as a child of the span in the context, and returns a context with
// the new span. If the span in the context is not sampled, Start returns the same context
// and a span that records nothing. The span in the context may have ended: work that
// continues after a call belongs to its trace.
func Start(ctx context.Context, name string, kind trace.SpanKind) (context.Context, trace.Span) {
	above := trace.SpanFromContext(ctx)
	if !above.SpanContext().IsSampled() {
		return ctx, none
	}
	return above.TracerProvider().Tracer(Scope).Start(ctx, name, trace.WithSpanKind(kind))
}

// Begun starts a span as a child of the span in the context, which must be sampled, for
// work that began earlier and has no child spans.
func Begun(ctx context.Context, name string, began time.Time) trace.Span {
	_, span := trace.SpanFromContext(ctx).TracerProvider().Tracer(Scope).Start(ctx, name, trace.WithTimestamp(began))
	return span
}

// Sampled reports whether the span in the context is sampled.
func Sampled(ctx context.Context) bool { return trace.SpanContextFromContext(ctx).IsSampled() }

// Fail marks a span as failed. The error type is one of few names. The span's status has
// no description, because an error's text may quote values.
func Fail(span trace.Span, errorType string) {
	span.SetAttributes(semconv.ErrorTypeKey.String(errorType))
	span.SetStatus(codes.Error, "")
}
