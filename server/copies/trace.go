package copies

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/tracing"
)

// trace starts the span of a flight, which ends when the flight is recorded. If the
// caller disconnects, the span ends later than the caller's.
func (f *flight) trace(ctx context.Context) (_ context.Context, end func(left bool)) {
	ctx, span := tracing.Start(ctx, "call with a request id", trace.SpanKindInternal)
	if !span.IsRecording() {
		return ctx, func(bool) {}
	}
	f.span = span.SpanContext()
	return ctx, func(left bool) {
		outcome := exchange.Done
		if f.err != nil {
			e := apierror.FromError(f.err)
			outcome = e.Outcome
			tracing.Fail(span, e.Reason)
		}
		span.SetAttributes(tracing.Outcome.String(outcome.String()), tracing.LedgerRecord.String(f.ex.LedgerRecord),
			tracing.Attempts.Int(len(f.ex.Attempts)), tracing.Replayed.Bool(f.replayed), tracing.Outlived.Bool(left))
		span.End()
	}
}

// awaitOther is [waiting.await] for a flight that another call began. Its span links to
// that of the flight.
func (w *waiting) awaitOther(f *flight) error {
	_, span := tracing.Start(w.ctx, "wait for the same call", trace.SpanKindInternal)
	defer span.End()
	err := w.await(f, false)
	if err == nil && f.span.IsSampled() {
		span.AddLink(trace.Link{SpanContext: f.span})
	}
	return err
}
