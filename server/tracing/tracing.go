// Package tracing makes the spans of what a call does on its way: below the span of the
// call, which the context carries. Nothing has to be handed around for it, and a call
// that is not traced pays for one look into its context.
//
// An attribute of a span is a name, a number, or a text of digate's own. What callers
// and Diga say is in no span.
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

// The attributes that OpenTelemetry has no convention for.
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

// Start begins a span below that of the context, and returns a context with the span.
// Where the context's span is not sampled, the context is the same and the span records
// nothing. The end of the context's span does not matter: what a call leaves behind is
// in its trace.
func Start(ctx context.Context, name string, kind trace.SpanKind) (context.Context, trace.Span) {
	above := trace.SpanFromContext(ctx)
	if !above.SpanContext().IsSampled() {
		return ctx, none
	}
	return above.TracerProvider().Tracer(Scope).Start(ctx, name, trace.WithSpanKind(kind))
}

// Begun begins a span below that of the context, which must be sampled, for what began a
// while ago and has nothing below it.
func Begun(ctx context.Context, name string, began time.Time) trace.Span {
	_, span := trace.SpanFromContext(ctx).TracerProvider().Tracer(Scope).Start(ctx, name, trace.WithTimestamp(began))
	return span
}

// Sampled reports whether the context's span is sampled.
func Sampled(ctx context.Context) bool { return trace.SpanContextFromContext(ctx).IsSampled() }

// Fail marks what the span is of as failed. The type of the error is one of few names.
// The span's status has no description: an error's text may quote values.
func Fail(span trace.Span, errorType string) {
	span.SetAttributes(semconv.ErrorTypeKey.String(errorType))
	span.SetStatus(codes.Error, "")
}
